export * from './findRuns.js';
export {
  isFields,
  type JsonFields,
  type Note,
  numberField,
  objectField,
  orNote,
  readRunFile,
  textField,
} from './readRunFile.js';
export * from './runScores.js';
export * from './runSummary.js';
export * from './stepSeries.js';
