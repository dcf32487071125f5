import { closeSync, existsSync, fstatSync, fsyncSync, ftruncateSync, mkdirSync, openSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { encodeEvent, encodeFileVersion } from './event.js';
import { summarizeHistogram } from './histogram.js';
import { describeHparams, type HparamValue } from './hparams.js';
import { describePng } from './image.js';
import { decodeRecord } from './readEvents.js';
import { encodeRecord, scanRecords } from './record.js';
import type { SummaryValue } from './summaryValue.js';
import { appendWhole } from './writeWhole.js';

export interface EventWriterOptions {
  /** The end of a new file's name, where other writers put the host; 'tokenfuse' by default. */
  readonly suffix?: string;
  /** Milliseconds since 1970, for file names and wall times; `Date.now` by default. */
  readonly now?: () => number;
}

/** Every call is one event, appended with one `write`; steps are integers >= 0; a closed writer throws. */
export interface EventWriter {
  /** The file that is written. */
  readonly path: string;
  /** A number, stored as float32; it may be NaN or infinite. */
  scalar(tag: string, value: number, step: number): void;
  /** Numbers of one step in one event, so that a kill leaves all of them or none. */
  scalars(values: Readonly<Record<string, number>>, step: number): void;
  /** The distribution of finite values. @throws RangeError when there is none, or one that is not finite */
  histogram(tag: string, values: ArrayLike<number>, step: number): void;
  /** An encoded PNG of the given size in pixels. @throws RangeError when the bytes are something else */
  image(tag: string, png: Uint8Array, size: { width: number; height: number }, step: number): void;
  /** Markdown. */
  text(tag: string, markdown: string, step: number): void;
  /**
   * The hyper-parameters of this run: one row of the HPARAMS table.
   *
   * @param metricTags of the scalars that are results. TensorBoard takes the columns of the whole table from one run that names
   *   them; where none does, it gathers hyper-parameters and scalars of all runs. Leave them out where runs differ in either.
   * @throws RangeError on a number that is not finite
   */
  hparams(values: Readonly<Record<string, HparamValue>>, metricTags?: readonly string[]): void;
  /** Waits until everything is on the disk; a kill needs no flush, a power cut does. */
  flush(): void;
  /** `flush`, then closes the file; calling it again does nothing. */
  close(): void;
}

/**
 * Opens a TensorBoard event file for appending.
 *
 * @param path a folder (made when missing), in which a new `events.out.tfevents.<seconds>.<suffix>` is begun; or a file,
 *   which TensorBoard and this function know by 'tfevents' in its name: it is continued, after a torn last record has
 *   been cut off, or begun
 * @throws EventFileError when an existing file is no event file or is damaged before its end
 */
export function createEventWriter(path: string, options: EventWriterOptions = {}): EventWriter {
  const now = options.now ?? Date.now;
  const file = basename(path).includes('tfevents') ? path : newFileName(path, now(), options.suffix ?? 'tokenfuse');
  const descriptor = openForAppend(file);
  let open = true;

  const append = (payload: Uint8Array): void => {
    if (!open) throw new Error(`${file}: expected an open event writer, got a closed one`);
    appendWhole(descriptor, encodeRecord(payload));
  };
  const appendValues = (step: number, values: Parameters<typeof encodeEvent>[2]): void => {
    if (!Number.isSafeInteger(step) || step < 0) throw new RangeError(`step: expected an integer >= 0, got ${step}`);
    append(encodeEvent(now() / 1000, step, values));
  };
  const close = (): void => {
    if (!open) return;
    open = false;
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  };

  try {
    if (fstatSync(descriptor).size === 0) append(encodeFileVersion(now() / 1000));
  } catch (error) {
    close();
    throw error;
  }
  return {
    path: file,
    scalar: (tag, value, step) => appendValues(step, [{ kind: 'scalar', tag, value }]),
    scalars: (values, step) =>
      appendValues(
        step,
        Object.entries(values).map(([tag, value]) => ({ kind: 'scalar', tag, value }) satisfies SummaryValue),
      ),
    histogram: (tag, values, step) =>
      appendValues(step, [{ kind: 'histogram', tag, histogram: summarizeHistogram(values) }]),
    image: (tag, png, size, step) => appendValues(step, [{ kind: 'image', tag, image: describePng(png, size) }]),
    text: (tag, markdown, step) => appendValues(step, [{ kind: 'text', tag, markdown }]),
    hparams: (values, metricTags) =>
      appendValues(
        0,
        describeHparams(values, metricTags, now() / 1000).map(({ tag, content }) => ({
          kind: 'hparams',
          tag,
          content,
        })),
      ),
    flush: () => fsyncSync(descriptor),
    close,
  };
}

/** A name not yet taken: two writers begun in one second get different files. */
function newFileName(folder: string, milliseconds: number, suffix: string): string {
  if (suffix === '' || /[/\\]/.test(suffix)) throw new RangeError(`suffix: expected a file name, got '${suffix}'`);
  const seconds = String(Math.floor(milliseconds / 1000)).padStart(10, '0');
  const name = join(folder, `events.out.tfevents.${seconds}.${suffix}`);
  let candidate = name;
  for (let n = 1; existsSync(candidate); n++) candidate = `${name}.${n}`;
  return candidate;
}

function openForAppend(file: string): number {
  mkdirSync(dirname(file), { recursive: true });
  const scan = existsSync(file) ? scanRecords(file, (record) => decodeRecord(file, record)) : undefined;
  const descriptor = openSync(file, 'a');
  if (scan !== undefined && scan.wholeBytes < scan.fileBytes) ftruncateSync(descriptor, scan.wholeBytes);
  return descriptor;
}
