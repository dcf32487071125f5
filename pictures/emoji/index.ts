export { EMOJI_STYLES, type EmojiStylesOptions, emojiStyles } from './emojiStyles.js';
