export { decodeWeights } from './decodeWeights.js';
export { type EncodedWeights, encodeWeights, fitsFloat16 } from './encodeWeights.js';
export { type StoredWeights, WEIGHT_PRECISIONS, type WeightPrecision } from './storedWeights.js';
