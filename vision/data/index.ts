export { AugmentConfig, checkAugment } from './augment.js';
export { type DecodeSettings, decodeImage, inspectImage, largestFile, MAX_DECODE_BYTES } from './decodeImage.js';
export { encodePng } from './encodePng.js';
export { ImageDataConfig, Preprocessing } from './imageDataConfig.js';
export {
  type ImageBatch,
  type ImageDataset,
  type OpenOptions,
  openImageDataset,
  openImageList,
} from './imageDataset.js';
export type { LabelNames, LabelRequirement } from './labelledImages.js';
export { type PackOptions, packImages } from './packImages.js';
