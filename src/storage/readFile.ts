import { createHash } from 'node:crypto';
import { closeSync, readSync } from 'node:fs';
import { printable, UserError } from '#src/errors';
import type { ByteSource } from './byteSource.js';
import { decodeText, MAX_TEXT_BYTES } from './decodeText.js';
import { allocate, openFile, READ_BYTES } from './openFile.js';
import { systemErrorWords } from './systemError.js';
import { countLineEnds, textLines } from './textLines.js';

export interface ReadLimits {
  /** A larger file is refused before it is read. */
  readonly maxBytes?: number;
  /** Reads no more than so many bytes from the start. */
  readonly headBytes?: number;
}

/**
 * The bytes of a regular file or archive member.
 *
 * @param purpose what the file is read for: 'captions'
 * @throws UserError in one line that names the file and its purpose: it is missing, no regular file, too large, unreadable
 */
export function readBytes(source: string | ByteSource, purpose: string, limits: ReadLimits = {}): Buffer {
  const { path, member } = typeof source === 'string' ? { path: source } : source;
  if (path === '-') throw new UserError(`cannot read ${purpose} from standard input; write it to a file first`);
  let descriptor: number | undefined;
  try {
    const file = openFile(member?.archive ?? path);
    descriptor = file.descriptor;
    const length = member?.length ?? file.bytes;
    const { maxBytes = length, headBytes = length } = limits;
    if (length > maxBytes) throw new Error(`expected at most ${maxBytes} bytes, got ${length}`);
    const bytes = readFully(descriptor, Math.min(length, headBytes), member?.offset ?? 0);
    if (member !== undefined && bytes.length < length && headBytes >= length) {
      throw new Error('the archive ends inside it');
    }
    return bytes;
  } catch (error) {
    throw new UserError(`cannot read ${purpose} ${path}: ${systemErrorWords(error)}`);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Fewer bytes than asked for where the file ends before. */
function readFully(descriptor: number, length: number, position: number): Buffer {
  const bytes = allocate(length);
  let done = 0;
  while (done < length) {
    const count = readSync(descriptor, bytes, done, Math.min(READ_BYTES, length - done), position + done);
    if (count === 0) break;
    done += count;
  }
  return bytes.subarray(0, done);
}

/** A UTF-8 text file without its byte order mark. @throws UserError also where it is not UTF-8, naming the line */
export function readText(path: string, purpose: string, maxBytes: number = MAX_TEXT_BYTES): string {
  return decodeText(readBytes(path, purpose, { maxBytes }), path);
}

/** A JSON file, parsed but not validated: pass the result through a schema. */
export function readJson(path: string, purpose: string): unknown {
  return parseJson(readBytes(path, purpose, { maxBytes: MAX_TEXT_BYTES }), path, purpose);
}

/** JSON bytes, parsed but not validated. */
export function parseJson(bytes: Uint8Array, path: string, purpose: string): unknown {
  const text = decodeText(bytes, path);
  try {
    return JSON.parse(text);
  } catch (error) {
    if (isJsonLines(text)) {
      throw new UserError(
        `cannot read ${purpose} ${path}: expected one JSON value, got JSON lines; write them as an array`,
      );
    }
    throw new UserError(`cannot read ${purpose} ${path}: not valid JSON (${faultOf(error as SyntaxError, text)})`);
  }
}

/** The parser's message, which quotes the offending text: on one line, nothing in it invisible, the line for the position. */
function faultOf({ message }: SyntaxError, text: string): string {
  return printable(message.replace(/[ \n\r\t]+/g, ' ').replace(/^Unexpected end of JSON input$/, 'it ends too early'))
    .replace(/[^\S ]/g, (blank) => `\\u${blank.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .replace(/ at position (\d+)$/, (_, position) => ` in line ${1 + countLineEnds(text.slice(0, Number(position)))}`);
}

/** Whether each of the first two lines is an object or an array of its own. */
function isJsonLines(text: string): boolean {
  const lines = textLines(text.slice(0, JSON_LINES_HEAD)).filter((line) => line.trim() !== '');
  return lines.length > 1 && lines.slice(0, 2).every(isJsonGroup);
}

/** Room for the first two lines. */
const JSON_LINES_HEAD = 2 ** 20;

function isJsonGroup(line: string): boolean {
  try {
    return typeof JSON.parse(line) === 'object';
  } catch {
    return false;
  }
}

/** SHA-256 of bytes, in hexadecimal. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
