/**
 * @file Index of the members of a tar archive. Reads POSIX ustar and pax headers (IEEE Std 1003.1, `pax`, "ustar
 * Interchange Format" and "pax Extended Header") and GNU long names; the archive is never unpacked.
 */
import { closeSync, readSync } from 'node:fs';
import { UserError } from '#src/errors';
import { openToRead } from './openToRead.js';

/** A regular file of an archive. */
export interface TarMember {
  readonly name: string;
  /** Offset of its content in the archive. */
  readonly offset: number;
  readonly length: number;
}

const BLOCK = 512;

/** Maximum size of a pax header or GNU long name: they contain names, not data. */
const MAX_EXTENSION_BYTES = 2 ** 20;

/** Bytes per read, so that small members do not need separate reads. */
const WINDOW_BYTES = 2 ** 13;

const REFUSED_TYPES: Readonly<Record<string, string>> = {
  '1': 'a hard link',
  '2': 'a symbolic link',
  '3': 'a character device',
  '4': 'a block device',
  '6': 'a named pipe',
  S: 'a sparse file',
  M: 'a part of a file from another volume',
};

/**
 * The regular files of a tar archive in order, from one pass over its headers; folders are skipped.
 *
 * @throws UserError for a compressed, damaged or truncated archive, a link or device, a name that is absolute or escapes
 *   the archive, a duplicate name
 */
export function readTarIndex(path: string): TarMember[] {
  const { descriptor, bytes } = openToRead(path, 'archive');
  try {
    return scan(path, bytes, windowOn(descriptor));
  } finally {
    closeSync(descriptor);
  }
}

/** Bytes [position, position + length) of the file, fewer at its end; valid until the next call. */
type ReadAt = (position: number, length: number) => Buffer;

function windowOn(descriptor: number): ReadAt {
  const window = Buffer.alloc(WINDOW_BYTES);
  let start = 0;
  let filled = 0;
  const fill = (into: Buffer, position: number): number => {
    let done = 0;
    while (done < into.length) {
      const count = readSync(descriptor, into, done, into.length - done, position + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  };
  return (position, length) => {
    if (length > WINDOW_BYTES) {
      const whole = Buffer.alloc(length);
      return whole.subarray(0, fill(whole, position));
    }
    if (position < start || position + length > start + filled) {
      start = position;
      filled = fill(window, position);
    }
    return window.subarray(position - start, Math.min(position - start + length, filled));
  };
}

function scan(path: string, fileBytes: number, readAt: ReadAt): TarMember[] {
  const members: TarMember[] = [];
  const names = new Set<string>();
  let shared: PaxFields = {};
  let own: PaxFields = {};
  let position = 0;
  for (;;) {
    const header = readAt(position, BLOCK);
    const at = position;
    const fail = (why: string): never => {
      throw new UserError(`${path}: not a valid tar archive: at byte ${at}: ${why}`);
    };
    if (header.length < BLOCK) {
      const compressed = at === 0 && header.length > 2 && compression(header);
      if (compressed) fail(`it is compressed with ${compressed}; decompress it first: expected a plain tar`);
      fail(`expected a header of ${BLOCK} bytes or the end mark, got ${header.length} bytes; the archive is truncated`);
    }
    if (isZero(header)) {
      checkRest(position, fileBytes, readAt, fail);
      return members;
    }
    const compressed = at === 0 && compression(header);
    if (compressed) fail(`it is compressed with ${compressed}; decompress it first: expected a plain tar`);
    if (checksum(header) !== numberField(header, 148, 8)) fail('the checksum of the header does not fit');

    const type = String.fromCharCode(header[156] || 0x30);
    const isExtension = 'xgLK'.includes(type);
    const length = (isExtension ? undefined : (own.size ?? shared.size)) ?? numberField(header, 124, 12);
    if (!Number.isSafeInteger(length) || length < 0) fail('its size is not a number of bytes');
    const offset = position + BLOCK;
    if (offset + length > fileBytes) {
      fail(`it holds ${length} bytes, the archive has ${fileBytes - offset} more; the archive is truncated`);
    }
    position = offset + Math.ceil(length / BLOCK) * BLOCK;

    if (isExtension) {
      if (length > MAX_EXTENSION_BYTES) {
        fail(`an extended header of ${length} bytes; expected at most ${MAX_EXTENSION_BYTES}`);
      }
      const content = readAt(offset, length);
      if (type === 'g') shared = { ...shared, ...paxFields(content, fail) };
      else if (type === 'x') own = { ...own, ...paxFields(content, fail) };
      // The name of a link's target (K) does not matter: links are rejected.
      else if (type === 'L') own = { ...own, path: textField(content, 0, length) };
      continue;
    }
    const name = own.path ?? shared.path ?? headerName(header);
    own = {};
    const shown = JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}...` : name);
    // Before ustar, a folder was a file whose name ends in a slash.
    if (type === '5' || (type === '0' && name.endsWith('/'))) continue;
    if (type !== '0' && type !== '7') {
      fail(
        `${shown} is ${REFUSED_TYPES[type] ?? `of unknown type ${JSON.stringify(type)}`}; expected only regular files`,
      );
    }
    const unsafe = whyUnsafe(name);
    if (unsafe) fail(`the name ${shown} ${unsafe}; expected a path inside the archive`);
    const plain = name.replace(/^(?:\.\/+)+/, '');
    if (names.has(plain)) fail(`the name ${shown} occurs a second time`);
    names.add(plain);
    members.push({ name: plain, offset, length });
  }
}

interface PaxFields {
  readonly path?: string;
  readonly size?: number;
}

/** Records `length key=value\n`, the length in bytes including itself; keys other than path and size are ignored. */
function paxFields(content: Buffer, fail: (why: string) => never): PaxFields {
  const fields: { path?: string; size?: number } = {};
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(0x20, at);
    const digits = space < 0 || space - at > 10 ? '' : content.toString('latin1', at, space);
    const end = at + Number(digits);
    if (!/^[1-9]\d*$/.test(digits) || end > content.length || end <= space + 1 || content[end - 1] !== 0x0a) {
      return fail('a pax record without its length');
    }
    const equals = content.indexOf(0x3d, space + 1);
    if (equals < 0 || equals >= end) return fail("a pax record without '='");
    const key = content.toString('utf8', space + 1, equals);
    const value = content.toString('utf8', equals + 1, end - 1);
    if (key === 'path') fields.path = value;
    if (key === 'size') {
      if (!/^\d{1,15}$/.test(value)) return fail('a pax size that is not a number of bytes');
      fields.size = Number(value);
    }
    if (key.startsWith('GNU.sparse.')) return fail('it is a sparse file; expected plain files');
    at = end;
  }
  return fields;
}

/** Up to 155 + 100 bytes in ustar; the prefix field means something else in other dialects. */
function headerName(header: Buffer): string {
  const name = textField(header, 0, 100);
  const isUstar = header.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = isUstar ? textField(header, 345, 155) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

function textField(bytes: Buffer, offset: number, length: number): string {
  const zero = bytes.indexOf(0, offset);
  return bytes.toString('utf8', offset, zero < 0 || zero > offset + length ? offset + length : zero);
}

/** Octal digits terminated by a blank or zero, or (GNU) a big-endian number after a byte 0x80; NaN for anything else. */
function numberField(header: Buffer, offset: number, length: number): number {
  if (header[offset] === 0x80) {
    return header.subarray(offset + 1, offset + length).reduce((value, byte) => value * 256 + byte, 0);
  }
  const text = header.toString('latin1', offset, offset + length).replace(/^ +|[ \0].*$/gs, '');
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
}

/** Sum of the header's bytes, with the checksum field counted as blanks. */
function checksum(header: Buffer): number {
  let sum = 8 * 0x20;
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += header[i];
  return sum;
}

function whyUnsafe(name: string): string | undefined {
  if (name === '') return 'is empty';
  if (/\p{Cc}/u.test(name)) return 'holds a control character';
  if (/^[/\\]|^[A-Za-z]:[/\\]/.test(name)) return 'is absolute';
  if (name.split(/[/\\]/).includes('..')) return "leads out of it by '..'";
  return undefined;
}

function compression(header: Buffer): string | undefined {
  const starts = (...bytes: number[]): boolean => bytes.every((byte, i) => header[i] === byte);
  if (starts(0x1f, 0x8b)) return 'gzip';
  if (starts(0x42, 0x5a, 0x68)) return 'bzip2';
  if (starts(0xfd, 0x37, 0x7a, 0x58, 0x5a)) return 'xz';
  if (starts(0x28, 0xb5, 0x2f, 0xfd)) return 'zstd';
  return undefined;
}

/** Only zeros may follow the end mark: a second archive after it would be lost silently. */
function checkRest(position: number, fileBytes: number, readAt: ReadAt, fail: (why: string) => never): void {
  for (let at = position; at < fileBytes; at += WINDOW_BYTES) {
    if (isZero(readAt(at, Math.min(WINDOW_BYTES, fileBytes - at)))) continue;
    fail('data after the end mark; expected one archive per file');
  }
}

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}
