import { closeSync, existsSync, fstatSync, readSync } from 'node:fs';
import { openToRead } from '#src/storage';
import { parseEntry, type StepEntry } from '#src/tracking';

/** A file of step lines that another process appends to, cuts back and writes anew. */
export interface FollowedLines {
  /** Reads what has come since the last call. @returns whether the entries are others now */
  poll(): boolean;
  /** All of the file so far; lines that are no entries are left out. */
  entries(): readonly StepEntry[];
}

/** So many bytes before the place where reading goes on must still be there: a file that was cut back has others. */
const MARK_BYTES = 512;
/** Read at a time. */
const CHUNK_BYTES = 2 ** 24;

/**
 * Follows a file of step lines, which need not be there yet. A run that resumes replaces it by a shorter one: it is then read from
 * its start.
 */
export function followLines(path: string): FollowedLines {
  let entries: StepEntry[] = [];
  let [position, inode] = [0, 0];
  let mark: Buffer = Buffer.alloc(0);
  const restart = (): void => {
    entries = [];
    position = 0;
    mark = Buffer.alloc(0);
  };
  const readAt = (descriptor: number, from: number, to: number): Buffer => {
    const buffer = Buffer.alloc(to - from);
    return buffer.subarray(0, readSync(descriptor, buffer, 0, buffer.length, from));
  };
  return {
    entries: () => entries,
    poll: () => {
      if (!existsSync(path)) {
        const had = entries.length > 0;
        restart();
        return had;
      }
      const { descriptor } = openToRead(path, 'metrics');
      try {
        const { size, ino } = fstatSync(descriptor);
        const goesOn =
          ino === inode && size >= position && readAt(descriptor, position - mark.length, position).equals(mark);
        const had = entries.length;
        if (!goesOn) restart();
        inode = ino;
        let changed = !goesOn && had > 0;
        for (;;) {
          const bytes = readAt(descriptor, position, Math.min(size, position + CHUNK_BYTES));
          const end = bytes.lastIndexOf(0x0a) + 1;
          if (end === 0) return changed;
          for (const line of bytes.toString('utf8', 0, end - 1).split('\n')) {
            const entry = parseEntry(line);
            if (entry !== undefined) entries.push(entry);
          }
          mark = Buffer.concat([mark, bytes.subarray(0, end)]).subarray(-MARK_BYTES);
          position += end;
          changed = true;
        }
      } finally {
        closeSync(descriptor);
      }
    },
  };
}
