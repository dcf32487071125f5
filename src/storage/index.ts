export * from './atomicWrite.js';
export * from './binaryFileKind.js';
export * from './byteSource.js';
export * from './checkedFile.js';
export * from './containedFile.js';
export * from './decodeText.js';
export * from './fileStatus.js';
export * from './flush.js';
export * from './folderDraft.js';
export { LOCK as LOCK_NAME, type Lock, type LockState, lockState, takeLock } from './lock.js';
export * from './makeFolder.js';
export type { OpenFile } from './openFile.js';
export * from './openToRead.js';
export * from './outputPlace.js';
export { HOST_ID } from './processIdentity.js';
export * from './readFile.js';
export * from './replaceSection.js';
export * from './safetensors.js';
export {
  readSafetensorsHeader,
  type SafetensorsDtype,
  type SafetensorsHeader,
  type TensorEntry,
} from './safetensorsHeader.js';
export * from './sealedJson.js';
export * from './sealedSafetensors.js';
export * from './systemError.js';
export * from './tarIndex.js';
export * from './temporaryName.js';
export * from './textLines.js';
export * from './writeFailure.js';
