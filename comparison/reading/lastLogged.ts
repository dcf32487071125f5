import { closeSync, readSync } from 'node:fs';
import { openToRead } from '#src/storage';
import { parseEntry, type StepEntry } from '#src/tracking';

/** Lines between two validations fit into it. */
const TAIL_BYTES = 2 ** 15;

/** The end of a file of step lines. */
export interface LastLogged {
  /** The last entry; undefined where there is none. */
  readonly last: StepEntry | undefined;
  /** The last one with a value of the tag that was asked for, in the last 32 KiB. */
  readonly withTag: StepEntry | undefined;
}

/** Reads the end of a file of step lines, never all of a long one. What is cut or broken is passed over. */
export function lastLogged(path: string, tag: string): LastLogged {
  const lines = tailOf(path).split('\n');
  let last: StepEntry | undefined;
  for (const line of lines.reverse()) {
    if (last !== undefined && !line.includes(tag)) continue;
    const entry = parseEntry(line);
    last ??= entry;
    if (entry?.values[tag] !== undefined) return { last, withTag: entry };
  }
  return { last, withTag: undefined };
}

function tailOf(path: string): string {
  const { descriptor, bytes } = openToRead(path, 'metrics');
  try {
    const start = Math.max(0, bytes - TAIL_BYTES);
    const buffer = Buffer.alloc(bytes - start);
    const length = readSync(descriptor, buffer, 0, buffer.length, start);
    return buffer.toString('utf8', 0, length);
  } finally {
    closeSync(descriptor);
  }
}
