export { blankImage } from './blankImage.js';
export { derangement } from './derangement.js';
export { type LeftOut, leaveOneOut } from './leaveOneOut.js';
export { type ImageFeatures, imageFeatures, nearestNeighbours } from './nearestNeighbours.js';
export { randomVision } from './randomVision.js';
