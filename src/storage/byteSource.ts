import { readFile } from 'node:fs';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';

/** For small files, readFile of node:fs/promises takes twice as long as this one. */
const readWhole = promisify(readFile);

/** Bytes on disk: a whole file, or an archive member, which is read directly from the archive and never unpacked. */
export interface ByteSource {
  /** The file path; for a member, the archive's path and the member's name, for messages. */
  readonly path: string;
  readonly member?: ArchiveMember;
}

/** A byte range of an archive. */
export interface ArchiveMember {
  readonly archive: string;
  readonly offset: number;
  readonly length: number;
}

/** The file that contains the bytes. */
export function fileOf({ path, member }: ByteSource): string {
  return member?.archive ?? path;
}

/** Reads the bytes; fails with the file system's own error, or with one that says the archive is truncated. */
export async function readSource({ path, member }: ByteSource): Promise<Buffer> {
  if (member === undefined) return readWhole(path);
  const handle = await open(member.archive, 'r');
  try {
    const bytes = Buffer.alloc(member.length);
    for (let done = 0; done < bytes.length; ) {
      const { bytesRead } = await handle.read(bytes, done, bytes.length - done, member.offset + done);
      if (bytesRead === 0) throw new Error('the archive ends inside it');
      done += bytesRead;
    }
    return bytes;
  } finally {
    await handle.close();
  }
}
