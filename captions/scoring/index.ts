export { comparisonTable } from './comparisonTable.js';
export { readDocumentFrequencies, writeDocumentFrequencies } from './idfFile.js';
export { meteorJar } from './meteorJar.js';
export { checkPerImagePath, writePerImage } from './perImageFile.js';
export { scoreReport } from './scoreReport.js';
export { METRIC_LABELS, scoreTable } from './scoreTable.js';
export { spiceJar } from './spiceJar.js';
