/**
 * `tokenfuse/plugins`: what an extension in a file of its own is written with. Its types are TensorFlow.js' own, which need
 * `skipLibCheck: true`; all other entries do without.
 *
 * @module tokenfuse/plugins
 */
export { type FusionMethod, registerFusionMethod } from '#fusion';
export { tf } from '#src/engine';
export { type NormActivation, registerNormActivation } from '#src/kernels';
