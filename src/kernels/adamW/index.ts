export { adamWStep } from './adamWStep.js';
export { type AdamWParameter, adamWUpdate } from './adamWUpdate.js';
