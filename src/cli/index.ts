export * from './command.js';
export * from './runCli.js';
export * from './table.js';
export * from './wrapText.js';
