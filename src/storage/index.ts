export * from './atomicWrite.js';
export * from './byteSource.js';
export * from './decodeText.js';
export * from './readFile.js';
export * from './replaceSection.js';
export * from './safetensors.js';
export * from './tarIndex.js';
export * from './writeFailure.js';
