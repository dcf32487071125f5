export * from './columns.js';
export * from './command.js';
export * from './interruption.js';
export * from './runCli.js';
export { shellWord } from './shellWords.js';
export * from './standardStreams.js';
export * from './table.js';
export * from './wrapText.js';
