export * from './atomicWrite.js';
export * from './byteSource.js';
export * from './containedFile.js';
export * from './decodeText.js';
export * from './openToRead.js';
export * from './readFile.js';
export * from './replaceSection.js';
export * from './safetensors.js';
export {
  readSafetensorsHeader,
  type SafetensorsDtype,
  type SafetensorsHeader,
  type TensorEntry,
} from './safetensorsHeader.js';
export * from './tarIndex.js';
export * from './writeFailure.js';
