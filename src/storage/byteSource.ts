import { close, fstat, open, read } from 'node:fs';
import { promisify } from 'node:util';
import { allocate, READ_BYTES, READ_FLAGS, refuseSpecial } from './openFile.js';

/** For small files, node:fs/promises takes twice as long as these. */
const openAsync = promisify(open) as (path: string, flags: number) => Promise<number>;
const statusOf = promisify(fstat);
const readAsync = promisify(read);
const closeAsync = promisify(close);

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

/**
 * Reads the bytes of a regular file or archive member.
 *
 * @throws the error of the system call, one that says what is there instead of a regular file, or one that says the archive is
 *   truncated: `systemErrorWords` has words for each
 */
export async function readSource({ path, member }: ByteSource): Promise<Buffer> {
  const descriptor = await openAsync(member?.archive ?? path, READ_FLAGS);
  try {
    const status = await statusOf(descriptor);
    refuseSpecial(status);
    const { offset, length } = member ?? { offset: 0, length: status.size };
    const bytes = allocate(length);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await readAsync(
        descriptor,
        bytes,
        done,
        Math.min(READ_BYTES, length - done),
        offset + done,
      );
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    if (done < length && member !== undefined) throw new Error('the archive ends inside it');
    return bytes.subarray(0, done);
  } finally {
    await closeAsync(descriptor);
  }
}
