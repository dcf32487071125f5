export { type CaptionedImage, type CaptionImage, captionsById } from './captionedImage.js';
export { captionFormatOf, captionSourceText } from './captionFormatOf.js';
export {
  CaptionSource,
  captionKeys,
  captionSourceArgument,
  captionSourceName,
  refuseImagesTwice,
  resolveSource,
} from './captionSource.js';
export { isKarpathyFile } from './karpathySplits.js';
export { type ListedImages, listImageArguments, type UnusableImage } from './listImageArguments.js';
export { listImages } from './listImages.js';
export { loadCaptions } from './loadCaptions.js';
export { readPredictions, refuseOtherPredictions, writePredictions } from './predictions.js';
