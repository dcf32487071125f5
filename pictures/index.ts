export { type OpenClipartOptions, openClipart } from './clipart/index.js';
export { EMOJI_STYLES, type EmojiStylesOptions, emojiStyles } from './emoji/index.js';
export type { PictureSource } from './picture.js';
export { type PictureData, type PictureDataOptions, writePictureData } from './pictureData.js';
export { type StampsOptions, stamps } from './stamps/index.js';
