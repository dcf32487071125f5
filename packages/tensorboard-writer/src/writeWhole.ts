import { fstatSync, ftruncateSync, writeSync } from 'node:fs';

/** Writes all bytes: normally one `write`, more only when the system takes fewer than it was given. */
export function writeWhole(descriptor: number, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length; ) {
    offset += writeSync(descriptor, bytes, offset, bytes.length - offset);
  }
}

/** `writeWhole` at the end of a file, or nothing: after a failure the file is cut back to what it was. */
export function appendWhole(descriptor: number, bytes: Uint8Array): void {
  const sizeBefore = fstatSync(descriptor).size;
  try {
    writeWhole(descriptor, bytes);
  } catch (error) {
    try {
      ftruncateSync(descriptor, sizeBefore);
    } catch {
      // Readers skip a torn tail; why the write failed is the news.
    }
    throw error;
  }
}
