export * from './decode.js';
export type { DecodeForward } from './decodeState.js';
export * from './decoding.js';
export * from './namedOptions.js';
export * from './sampling.js';
export type { Hypothesis } from './search.js';
export { textSoFar } from './textSoFar.js';
