export * from './findRuns.js';
export { type Note, orNote } from './readRunFile.js';
export * from './runScores.js';
export * from './runSummary.js';
export * from './stepSeries.js';
