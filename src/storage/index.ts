export * from './atomicWrite.js';
export * from './readFile.js';
export * from './safetensors.js';
