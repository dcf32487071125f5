export * from './loadConfig.js';
export * from './parseFile.js';
export * from './renamedKey.js';
