/**
 * `tokenfuse/fusion`: vision-language models. Merge two backbones, align the result, load it, caption images.
 *
 * @module tokenfuse/fusion
 */
export type { DecodingOptions } from './decodingOptions.js';
export type { ImageInput } from './imageInput.js';
export type { AttachedGroup, LoadedModel } from './loadedModel.js';
export {
  type FusionSettings,
  type MergePlan,
  type MergeRecipe,
  type MergeReport,
  merge,
  type PlannedGroup,
  planMerge,
  unmerge,
} from './merging.js';
export { type Caption, loadModel, type Model } from './model.js';
export type { TensorData } from './tensorData.js';
export { align, type Experiment, type RunOptions, type StopSignal, type TrainingResult } from './training.js';
