import { describeValue } from '#src/config';
import { printable, shownText, UserError } from '#src/errors';
import { textLinesOf } from '#src/storage';
import { readTextChunks } from './textFile.js';
import { textPieces } from './textPieces.js';
import { captionTexts, type TextSource } from './textSource.js';

export interface DocumentSettings {
  /** A plain text file is one document, or one per line that is not blank. JSONL has one per line either way. */
  readonly documents: 'file' | 'line';
  /** The field of a JSONL object that holds the text. */
  readonly field: string;
}

/** Whether a source is read as JSONL, by its name: `.jsonl` or `.ndjson`. */
export function isJsonlFile(source: TextSource): boolean {
  return typeof source === 'string' && /\.(jsonl|ndjson)$/i.test(source);
}

/**
 * The documents of a text or JSONL file, or of captions, each as pieces whose separate encodings concatenate to that of the
 * whole document (`textPieces`). Blank lines and empty documents are skipped. Consume each document before requesting the next.
 *
 * @throws UserError when the file is missing or not UTF-8, or (naming file and line) a JSONL line is invalid
 */
export function* readTextDocuments(source: TextSource, settings: DocumentSettings): Generator<Iterable<string>> {
  if (typeof source !== 'string') {
    for (const caption of captionTexts(source)) yield [caption];
    return;
  }
  const path = source;
  if (isJsonlFile(path)) {
    let number = 0;
    for (const line of textLinesOf(readTextChunks(path))) {
      number++;
      if (line.trim() === '') continue;
      const text = jsonlText(line, settings.field, `${path}:${number}`);
      if (text !== '') yield textPieces([text], { where: `${path}:${number}` });
    }
  } else if (settings.documents === 'line') {
    for (const line of textLinesOf(readTextChunks(path)))
      if (line.trim() !== '') yield textPieces([line], { where: path });
  } else {
    const pieces = textPieces(readTextChunks(path), { where: path });
    const first = pieces.next();
    if (first.done !== true) {
      yield (function* () {
        yield first.value;
        yield* pieces;
      })();
    }
  }
}

function jsonlText(line: string, field: string, where: string): string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new UserError(
      `${where}: expected a JSON object, got a line that is not JSON (${printable((error as Error).message.replace(/\s+/g, ' '))})`,
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UserError(`${where}: expected a JSON object with a field '${field}', got ${shownText(line.trim(), 40)}`);
  }
  const text = Object.hasOwn(value, field) ? (value as Record<string, unknown>)[field] : undefined;
  if (text === undefined) {
    const fields = Object.keys(value).slice(0, 8).join(', ') || 'none';
    throw new UserError(`${where}: expected a text field '${field}', got the fields: ${shownText(fields, 200)}`);
  }
  if (typeof text !== 'string') {
    throw new UserError(`${where}: expected field '${field}' to be a string, got ${describeValue(text)}`);
  }
  return text;
}
