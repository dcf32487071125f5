export {
  findNormActivation,
  isBuiltInNormActivation,
  type NormActivation,
  type NormActivationSettings,
  normActivationNames,
} from './normActivations.js';
export { pattention } from './pattention.js';
export { type PattentionGroup, pattentionGroups, pattentionGroupsReference } from './pattentionGroups.js';
export { type PattentionSettings, parameterWeights, pattentionReference } from './reference.js';
export { registerNormActivation } from './registerNormActivation.js';
export { type ClusteredTokens, routedPattention, usedClusters } from './routedPattention.js';
export { sparsePattention, strongestWeights } from './sparsePattention.js';
