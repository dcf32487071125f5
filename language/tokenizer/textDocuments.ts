import { UserError } from '#src/errors';
import { textLinesOf } from '#src/storage';
import { readTextChunks } from './textFile.js';
import { textPieces } from './textPieces.js';

export interface DocumentSettings {
  /** A plain text file is one document, or one per line that is not blank. JSONL has one per line either way. */
  readonly documents: 'file' | 'line';
  /** The field of a JSONL object that holds the text. */
  readonly field: string;
}

/** Whether a file is read as JSONL, by its name: `.jsonl` or `.ndjson`. */
export function isJsonlFile(path: string): boolean {
  return /\.(jsonl|ndjson)$/i.test(path);
}

/**
 * The documents of a text or JSONL file, each as pieces whose separate encodings concatenate to that of the whole document
 * (`textPieces`). Blank lines and empty documents are skipped. Consume each document before requesting the next.
 *
 * @throws UserError when the file is missing or not UTF-8, or (naming file and line) a JSONL line is invalid
 */
export function* readTextDocuments(path: string, settings: DocumentSettings): Generator<Iterable<string>> {
  if (isJsonlFile(path)) {
    let number = 0;
    for (const line of textLinesOf(readTextChunks(path))) {
      number++;
      if (line.trim() === '') continue;
      const text = jsonlText(line, settings.field, `${path}:${number}`);
      if (text !== '') yield textPieces([text]);
    }
  } else if (settings.documents === 'line') {
    for (const line of textLinesOf(readTextChunks(path))) if (line.trim() !== '') yield textPieces([line]);
  } else {
    const pieces = textPieces(readTextChunks(path));
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
    throw new UserError(`${where}: expected a JSON object, got a line that is not JSON (${(error as Error).message})`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UserError(`${where}: expected a JSON object with a field '${field}', got ${line.trim().slice(0, 40)}`);
  }
  const text = Object.hasOwn(value, field) ? (value as Record<string, unknown>)[field] : undefined;
  if (text === undefined) {
    const fields = Object.keys(value).slice(0, 8).join(', ') || 'none';
    throw new UserError(`${where}: expected a text field '${field}', got the fields: ${fields}`);
  }
  if (typeof text !== 'string') {
    throw new UserError(`${where}: expected field '${field}' to be a string, got ${JSON.stringify(text).slice(0, 40)}`);
  }
  return text;
}
