export { type ModelUse, openServedModel, type ServedModel } from './servedModel.js';
export { warmUp } from './warmUp.js';
