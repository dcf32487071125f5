export { comparisonTable } from './comparisonTable.js';
export { readDocumentFrequencies, type TokensOf, writeDocumentFrequencies } from './idfFile.js';
export type { JarOptions } from './javaProcess.js';
export { type JarScores, meteorJar } from './meteorJar.js';
export { checkPerImagePath, writePerImage } from './perImageFile.js';
export { type ReportedMetric, type ReportedScore, type ScoreReport, scoreReport } from './scoreReport.js';
export { scoreTable } from './scoreTable.js';
export { spiceJar } from './spiceJar.js';
