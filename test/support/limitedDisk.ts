/** What is left on a disk; made with `vi.hoisted`, so that the mock can use it. */
export interface LimitedDisk {
  bytesLeft: number;
}

/** `node:fs` on a disk that takes what still fits, as a real one does, and then nothing more. */
export function onLimitedDisk(fs: typeof import('node:fs'), disk: LimitedDisk): object {
  const full = (call: string): Error =>
    Object.assign(new Error(`ENOSPC: no space left on device, ${call}`), { code: 'ENOSPC' });
  const writeSync = (descriptor: number, bytes: Uint8Array, offset = 0, length = bytes.length - offset): number => {
    if (disk.bytesLeft === 0) throw full('write');
    const written = fs.writeSync(descriptor, bytes, offset, Math.min(length, disk.bytesLeft));
    disk.bytesLeft -= written;
    return written;
  };
  const mkdirSync = (path: string, options?: { readonly recursive?: boolean }): string | undefined => {
    if (disk.bytesLeft === 0 && !fs.existsSync(path)) throw full('mkdir');
    return fs.mkdirSync(path, options);
  };
  return { ...fs, default: fs, writeSync, mkdirSync };
}
