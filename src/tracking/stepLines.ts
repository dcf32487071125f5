/**
 * @file Metrics by step as JSON lines, `{"step":3,"train/loss":1.25}`: one line per call, appended atomically. JSON has no
 * NaN or infinities; they are written as the strings "NaN", "Infinity" and "-Infinity".
 */
import { closeSync, existsSync, fstatSync, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { describeValue } from '#src/config';
import { UserError } from '#src/errors';
import { makeFolder, readBytes, writeFileAtomic } from '#src/storage';
import { orDiskRefusal } from './diskRefusal.js';

export interface StepEntry {
  readonly step: number;
  readonly values: Readonly<Record<string, number>>;
}

export interface StepLines {
  append(entry: StepEntry): void;
  /** Flushes all lines to disk. */
  flush(): void;
  close(): void;
}

/** Opens a file for appending; creates it and its folder if missing. @throws UserError when writing fails */
export function openStepLines(path: string): StepLines {
  const descriptor = orDiskRefusal(path, () => {
    makeFolder(dirname(path));
    return openSync(path, 'a');
  });
  return {
    append: (entry) => orDiskRefusal(path, () => appendWhole(descriptor, Buffer.from(`${encodeStepEntry(entry)}\n`))),
    flush: () => orDiskRefusal(path, () => fsyncSync(descriptor)),
    close: () => orDiskRefusal(path, () => closeSync(descriptor)),
  };
}

function appendWhole(descriptor: number, line: Buffer): void {
  const sizeBefore = fstatSync(descriptor).size;
  try {
    for (let offset = 0; offset < line.length; ) offset += writeSync(descriptor, line, offset);
  } catch (error) {
    // A full disk may have written half of the line.
    try {
      ftruncateSync(descriptor, sizeBefore);
    } catch {
      // Readers skip a truncated last line; the original write error matters more.
    }
    throw error;
  }
}

/** @throws Error for a step that is not an integer >= 0, and for a tag that is empty or 'step' */
function encodeStepEntry({ step, values }: StepEntry): string {
  if (!Number.isSafeInteger(step) || step < 0) throw new Error(`step: expected an integer >= 0, got ${step}`);
  const line: Record<string, number | string> = { step };
  for (const [tag, value] of Object.entries(values)) {
    if (tag === '' || tag === 'step') throw new Error(`tag: expected a name other than 'step', got '${tag}'`);
    line[tag] = Number.isFinite(value) ? value : String(value);
  }
  return JSON.stringify(line);
}

/**
 * Reads every entry in order. A last line truncated by a kill is skipped.
 *
 * @throws UserError when the file is missing, or a line before the last is not an entry, naming the line
 */
export function readStepLines(path: string): StepEntry[] {
  return wholeLines(path).map(({ entry }) => entry);
}

/**
 * Drops the entries after a step, and a truncated last line; the kept lines are unchanged byte for byte. Does nothing if
 * the file is missing.
 *
 * @throws UserError when a line before the last is not an entry
 */
export function keepStepLinesUntil(path: string, step: number): void {
  if (!existsSync(path)) return;
  const kept = wholeLines(path).filter(({ entry }) => entry.step <= step);
  writeFileAtomic(path, kept.map(({ line }) => `${line}\n`).join(''));
}

function wholeLines(path: string): { line: string; entry: StepEntry }[] {
  const lines = readBytes(path, 'metrics').toString('utf8').split('\n');
  const last = lines.pop();
  const whole = lines.map((line, i) => {
    const entry = parseEntry(line);
    if (entry === undefined) {
      throw new UserError(`${path}:${i + 1}: expected {"step": N, "tag": number, ...}, got ${describeValue(line)}`);
    }
    return { line, entry };
  });
  // Only the line feed may be missing: the closing brace shows that the entry is complete.
  const unterminated = last === undefined ? undefined : parseEntry(last);
  if (last !== undefined && unterminated !== undefined) whole.push({ line: last, entry: unterminated });
  return whole;
}

const NON_FINITE: ReadonlyMap<unknown, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

/** The entry of a line; undefined for anything else. */
export function parseEntry(line: string): StepEntry | undefined {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined;
  const { step, ...rest } = json as Record<string, unknown>;
  if (!Number.isSafeInteger(step) || (step as number) < 0) return undefined;
  const values: [string, number][] = [];
  for (const [tag, stored] of Object.entries(rest)) {
    const value = typeof stored === 'number' ? stored : NON_FINITE.get(stored);
    if (value === undefined) return undefined;
    values.push([tag, value]);
  }
  return { step: step as number, values: Object.fromEntries(values) };
}
