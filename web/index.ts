export { type ExportedSite, type ExportOptions, exportSite, SITE_INDEX } from './exportSite.js';
export type { PrecisionLoss } from './manifest.js';
export { lossLines } from './sitePage.js';
export { WEIGHT_PRECISIONS, type WeightPrecision } from './weights/index.js';
