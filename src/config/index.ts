export * from './loadConfig.js';
export * from './parseFile.js';
