export type { ServeCounts } from './messages.js';
export { type ModelUse, openServedModel, type ServedModel } from './model/index.js';
export { type ModelServer, type ServeOptions, serveModel } from './serveModel.js';
export { SERVE_DEFAULTS, type ServedDescription, type ServeSettings } from './settings.js';
