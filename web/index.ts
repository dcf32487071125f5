export { type ExportedSite, type ExportOptions, exportSite, SITE_INDEX } from './exportSite.js';
export { lossLines, megabytes } from './sitePage.js';
export { WEIGHT_PRECISIONS, type WeightPrecision } from './weights/index.js';
