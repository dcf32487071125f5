import { write } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Lines that wait for a slow reader; further ones are dropped and counted. */
const MOST_WAITING = 10_000;

const GATHER_MS = 20;

/** Writes lines to a file descriptor without ever waiting for whoever reads them. */
export interface LineWriter {
  write(line: string): void;
  /** Ends when what is waiting has been written. */
  flushed(): Promise<void>;
}

export function createLineWriter(descriptor: number): LineWriter {
  let waiting: string[] = [];
  let dropped = 0;
  let writing: Promise<void> | undefined;
  const writeAll = async (): Promise<void> => {
    // A write costs more than a line: those of a moment go together.
    await sleep(GATHER_MS);
    while (waiting.length > 0) {
      let bytes = Buffer.from(waiting.map((line) => `${line}\n`).join(''));
      waiting = [];
      while (bytes.length > 0) {
        const written = await new Promise<number>((resolve) => {
          write(descriptor, bytes, (error, count) => {
            if (error?.code === 'EAGAIN') setTimeout(() => resolve(0), 10);
            // Nobody reads it any more.
            else resolve(error ? bytes.length : count);
          });
        });
        bytes = bytes.subarray(written);
      }
      if (dropped > 0) waiting.push(JSON.stringify({ dropped }));
      dropped = 0;
    }
    writing = undefined;
  };
  return {
    write: (line) => {
      if (waiting.length >= MOST_WAITING) dropped++;
      else waiting.push(line);
      writing ??= writeAll();
    },
    flushed: async () => await writing,
  };
}
