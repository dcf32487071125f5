/**
 * `tokenfuse/tokenformer`: the layer, the configuration of a stack, and the engine that computes them.
 *
 * @module tokenfuse/tokenformer
 */

export { ConfigError, UserError } from '#src/errors';
export { type EngineChoice, type EngineSettings, type SelectedEngine, selectEngine } from './engine.js';
export { type PattentionGroup, pattention } from './pattention.js';
export type { StackConfig } from './stackConfig.js';
export type { TensorData } from './tensorData.js';
