import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { CaptionImage } from '#captions/formats';
import { Decoding } from '#language';
import { ConfigError, RunError, UserError } from '#src/errors';
import {
  flushFolder,
  makeFolder,
  readBytes,
  sealed,
  systemErrorWords,
  unsealedOrOld,
  writeFailure,
} from '#src/storage';
import type { CaptionedFile } from './captionImageFiles.js';

/** What determines the captions of a file besides its images; the first line. */
const CaptionSettings = z.strictObject({
  model: z.string().describe('SHA-256 of model.safetensors'),
  groups: z.array(z.string()).optional().describe('SHA-256 of the files of attached groups'),
  decoding: Decoding,
  prefix: z.string().optional().describe('first parameter tokens that were used; all unless given'),
  sparse: z.string().optional().describe('how many parameter tokens were used; all unless given'),
});
export type CaptionSettings = z.output<typeof CaptionSettings>;

const LogLine = z.strictObject({
  image_id: z.int(),
  file_name: z.string(),
  candidates: z
    .array(z.strictObject({ caption: z.string(), logProb: z.number(), numTokens: z.int(), ended: z.boolean() }))
    .min(1),
});

/** Captions in the order they are made: JSON lines, from which the COCO results are written at the end. */
export interface CaptionLog {
  /** Image id to its first caption, of all images done so far. */
  readonly captions: ReadonlyMap<number, string>;
  /** Writes images that are done; on disk when it returns. */
  append(files: readonly CaptionedFile[]): void;
  close(): void;
}

/**
 * Opens a new file, or continues that of an interrupted run; a line that the interruption cut
 * short is removed.
 *
 * @throws ConfigError in one line when the file was made with other settings or of other images
 * @throws UserError when it is not such a file, or the disk refuses
 */
export function openCaptionLog(path: string, settings: CaptionSettings, images: readonly CaptionImage[]): CaptionLog {
  const captions = new Map<number, string>();
  const text = existsSync(path) ? readBytes(path, 'captions') : Buffer.alloc(0);
  const end = text.lastIndexOf('\n') + 1;
  const lines = text.subarray(0, end).toString('utf8').split('\n').slice(0, -1);
  const header = lineOf(settings);
  if (lines.length === 0 && !header.startsWith(text.toString('utf8'))) throw foreign(path, 0);
  if (lines.length > 0) {
    const changed = differences(parseLine(path, lines, 0, CaptionSettings), settings);
    if (changed.length > 0) {
      throw new ConfigError(
        `${path}: made with other settings (${changed.join(', ')}); remove it to start over, or choose another --out`,
      );
    }
    const names = new Map(images.map(({ id, fileName }) => [id, fileName]));
    for (let i = 1; i < lines.length; i++) {
      const { image_id: id, file_name: name, candidates } = parseLine(path, lines, i, LogLine);
      if (names.get(id) !== name) {
        const now = names.has(id) ? `is now ${names.get(id)}` : 'is no longer there';
        throw new ConfigError(
          `${path}: made of other images (image ${id}, ${name}, ${now}); remove it to start over, or choose another --out`,
        );
      }
      captions.set(id, candidates[0].caption);
    }
  }
  const descriptor = openToAppend(path, end);
  const write = (values: readonly object[]): void => {
    const bytes = Buffer.from(values.map(lineOf).join(''));
    try {
      for (let offset = 0; offset < bytes.length; ) offset += writeSync(descriptor, bytes, offset);
      fsyncSync(descriptor);
    } catch (error) {
      throw new RunError(`cannot write ${path}: ${systemErrorWords(error)}; the next run continues from what is in it`);
    }
  };
  if (lines.length === 0) write([settings]);
  return {
    captions,
    append: (files) => {
      write(files.map(({ image, candidates }) => ({ image_id: image.id, file_name: image.fileName, candidates })));
      for (const { image, candidates } of files) captions.set(image.id, candidates[0].caption);
    },
    close: () => closeSync(descriptor),
  };
}

function lineOf(value: object): string {
  return `${JSON.stringify(sealed(value))}\n`;
}

/** Opens the file, with what the interruption left after the last complete line removed. */
function openToAppend(path: string, end: number): number {
  try {
    makeFolder(dirname(path));
    const descriptor = openSync(path, 'a');
    ftruncateSync(descriptor, end);
    flushFolder(dirname(path));
    return descriptor;
  } catch (error) {
    throw writeFailure(path, error);
  }
}

function parseLine<T>(path: string, lines: readonly string[], index: number, schema: z.ZodType<T>): T {
  try {
    return schema.parse(unsealedOrOld(JSON.parse(lines[index]), path, 'captions'));
  } catch {
    throw foreign(path, index);
  }
}

function foreign(path: string, index: number): UserError {
  return new UserError(
    `${path}:${index + 1}: expected a line of captions that 'tokenfuse caption' wrote, got another or a damaged one; remove the file or choose another --out`,
  );
}

/** `decoding.width 5, now 3` of everything that is not the same. */
function differences(before: CaptionSettings, now: CaptionSettings): string[] {
  if (before.model !== now.model) return ['another model'];
  if (!isDeepStrictEqual(before.groups, now.groups)) return ['other groups attached'];
  const [a, b]: Record<string, unknown>[] = [before, now].map(({ decoding, prefix, sparse }) => ({
    ...decoding,
    prefix,
    sparse,
  }));
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return keys
    .filter((key) => !isDeepStrictEqual(a[key], b[key]))
    .map((key) => `${key} ${JSON.stringify(a[key]) ?? 'not set'}, now ${JSON.stringify(b[key]) ?? 'not set'}`);
}
