/**
 * `tokenfuse/language`: language TokenFormers. Build or load one, compute logits and losses, generate text, pretrain.
 *
 * @module tokenfuse/language
 */
export type { DecodingOptions } from './decodingOptions.js';
export {
  createLanguageModel,
  type GeneratedText,
  type LanguageModel,
  type LanguageModelOptions,
  loadLanguageModel,
  type TokenizerChoice,
} from './languageModel.js';
export type { AttachedGroup, LoadedModel } from './loadedModel.js';
export type { AppendedGroup, StackConfig } from './stackConfig.js';
export type { TensorData } from './tensorData.js';
export { type TokenizerTraining, trainTokenizer } from './tokenizer.js';
export {
  type Experiment,
  type RunOptions,
  type StopSignal,
  type TrainingResult,
  type TuneResult,
  trainLanguage,
  tune,
} from './training.js';
