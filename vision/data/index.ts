export { AugmentConfig, checkAugment } from './augment.js';
export { type DecodeSettings, decodeImage } from './decodeImage.js';
export { ImageDataConfig, Preprocessing } from './imageDataConfig.js';
export {
  type BatchOptions,
  type ImageBatch,
  type ImageDataset,
  type OpenOptions,
  openImageDataset,
  openImageList,
} from './imageDataset.js';
export { listImageFolder } from './imageFolder.js';
export type { ImageEntry, LabelGrid, LabelNames, LabelRequirement } from './labelledImages.js';
export type { BrokenImage, PackedImages } from './packedImages.js';
export { type PackOptions, packImages } from './packImages.js';
