/**
 * `tokenfuse/vision`: vision TokenFormers. Build or load one, encode images, compute losses, pretrain.
 *
 * @module tokenfuse/vision
 */
export type { ImageInput } from './imageInput.js';
export type { AttachedGroup, LoadedModel } from './loadedModel.js';
export type { AppendedGroup, StackConfig } from './stackConfig.js';
export type { TensorData } from './tensorData.js';
export {
  type Experiment,
  type RunOptions,
  type StopSignal,
  type TrainingResult,
  type TuneResult,
  trainVision,
  tune,
} from './training.js';
export { createVisionModel, loadVisionModel, type VisionModel, type VisionModelOptions } from './visionModel.js';
