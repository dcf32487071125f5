import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import {
  type CaptionSource,
  captionFormatOf,
  captionSourceName,
  captionSourceText,
  loadCaptions,
  resolveSource,
} from '#captions/formats';
import { UserError } from '#src/errors';
import { binaryFileKind, fileStatus, readJson } from '#src/storage';
import { hashTextFile, readTextHead } from './textFile.js';

/** Text to learn from: the path of a text or JSONL file, or captions by their format, each of them a document. */
export type TextSource = CaptionSource;

/** The source with its paths resolved against `baseDir`. */
export function resolveTextSource(source: TextSource, baseDir: string): TextSource {
  return typeof source === 'string' ? resolve(baseDir, source) : resolveSource(source, baseDir);
}

/** The name of a source in messages. */
export function textSourceName(source: TextSource): string {
  return captionSourceName(source);
}

/** The captions of a source in file order. */
export function captionTexts(source: Exclude<TextSource, string>): string[] {
  return loadCaptions(source).flatMap(({ captions }) => captions);
}

/**
 * SHA-256 in hexadecimal of what a source says: of a file's bytes, or of the captions in order.
 *
 * @throws UserError for a path that is not text, before any of it is read as text
 */
export function hashTextSource(source: TextSource): string {
  if (typeof source === 'string') {
    refuseOtherThanText(source);
    return hashTextFile(source);
  }
  return createHash('sha256')
    .update(JSON.stringify(captionTexts(source)))
    .digest('hex');
}

/**
 * Refuses a path that would be learned from as text and is something else: a folder, an image or another binary file, captions
 * in one of the formats that have to be named.
 *
 * @throws UserError in one line, with what to do instead
 */
function refuseOtherThanText(path: string): void {
  if (fileStatus(path, 'text')?.isDirectory()) {
    throw new UserError(
      `cannot read text ${path}: is a folder; name its text files, or its captions: ${captionSourceText('sidecar', path)}`,
    );
  }
  const { bytes, text } = readTextHead(path);
  const binary = binaryFileKind(bytes);
  if (binary !== undefined) throw new UserError(`cannot read text ${path}: expected text, got ${binary}`);
  const captions = captionFormatOf(path, text, () => jsonOf(path));
  if (captions === undefined) return;
  const remedy =
    captions.source === undefined
      ? 'write the text that you want learned into a file of its own'
      : `name the format to learn from the captions alone: ${captions.source}`;
  throw new UserError(`cannot read text ${path}: expected plain text, got ${captions.words}; ${remedy}`);
}

/** Undefined for text that only begins like JSON. */
function jsonOf(path: string): unknown {
  try {
    return readJson(path, 'text');
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}
