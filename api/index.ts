/**
 * `tokenfuse`: the front door. Load a model and caption images; build, merge, align and evaluate models; score captions.
 *
 * ```ts
 * import { loadModel } from 'tokenfuse';
 * const model = await loadModel('runs/quickstart/align');
 * const [caption] = await model.caption(['photo.jpg']);
 * ```
 *
 * @module tokenfuse
 */
export * from './evaluation.js';
export * from './fusion.js';
export * from './language.js';
export * from './metrics.js';
export * from './tokenformer.js';
export * from './vision.js';
