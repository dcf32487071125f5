/**
 * @file The header of a safetensors file: u64 length, then JSON `{name: {dtype, shape, data_offsets}}`.
 * Source: https://github.com/huggingface/safetensors#format. A header can be read without loading any tensor.
 */
import { closeSync, fstatSync, readSync } from 'node:fs';
import { shownText, UserError } from '#src/errors';
import { type HeaderValue, parseHeaderJson } from './headerJson.js';
import { openToRead } from './openToRead.js';

/** Bits of an element, of every type that the format knows. */
const BITS_PER_ELEMENT = {
  ...{ BOOL: 8, U8: 8, I8: 8, F8_E5M2: 8, F8_E4M3: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8, F8_E5M2FNUZ: 8 },
  ...{ F4: 4, F6_E2M3: 6, F6_E3M2: 6 },
  ...{ I16: 16, U16: 16, F16: 16, BF16: 16, I32: 32, U32: 32, F32: 32, I64: 64, U64: 64, F64: 64, C64: 64 },
} as const;
export type SafetensorsDtype = keyof typeof BITS_PER_ELEMENT;

export interface TensorEntry {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** Byte range in the file, [start, end). */
  readonly start: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly path: string;
  /** In the order of their bytes, without gaps from `dataStart` to the end of the file. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Bytes of the length and the header. */
  readonly dataStart: number;
}

/** The bytes of a length and a header, and what they say. */
export interface RawHeader {
  readonly header: SafetensorsHeader;
  readonly bytes: Uint8Array;
}

/** As in the format's own implementation. */
const MAX_HEADER_BYTES = 100_000_000;
const MAX_COUNT = 2n ** 64n - 1n;

/**
 * Reads only the header. It refuses what the format's own implementation refuses (text that is not UTF-8, unknown types, sizes
 * that do not match the shapes, holes, bytes that belong to no tensor) and what the format forbids besides: a name
 * given twice, and a header that does not begin with `{`.
 *
 * @throws UserError for the first problem, naming the tensor
 */
export function readSafetensorsHeader(path: string): SafetensorsHeader {
  const { descriptor } = openToRead(path, 'tensors');
  try {
    return readHeaderOf(descriptor, path).header;
  } finally {
    closeSync(descriptor);
  }
}

/** The header of an open file, as `readSafetensorsHeader` checks it. */
export function readHeaderOf(descriptor: number, path: string): RawHeader {
  const fileBytes = fstatSync(descriptor).size;
  const fail = (why: string): never => {
    // Names come from the file and may hold line feeds, escape codes, and be of any length.
    throw new UserError(`${path}: not a valid safetensors file: ${shownText(why, 300)}`);
  };
  const prefix = Buffer.alloc(8);
  if (readSync(descriptor, prefix, 0, 8, 0) < 8) fail(`it has ${fileBytes} bytes, fewer than the 8 of a header length`);
  const headerBytes = Number(prefix.readBigUInt64LE());
  if (headerBytes > MAX_HEADER_BYTES || 8 + headerBytes > fileBytes) {
    fail(`its header claims ${headerBytes} bytes, the file has ${fileBytes}`);
  }
  const dataStart = 8 + headerBytes;
  const bytes = Buffer.alloc(dataStart);
  for (let done = 0; done < dataStart; ) {
    const count = readSync(descriptor, bytes, done, dataStart - done, done);
    if (count === 0) fail('it ends inside its header');
    done += count;
  }
  return { header: parseHeader(path, bytes.subarray(8), fileBytes, fail), bytes };
}

function parseHeader(
  path: string,
  bytes: Uint8Array,
  fileBytes: number,
  fail: (why: string) => never,
): SafetensorsHeader {
  const dataStart = 8 + bytes.length;
  const json = headerObject(bytes, fail);
  const tensors: [string, TensorEntry][] = [];
  let metadata: Record<string, string> = {};
  for (const [name, value] of json) {
    if (name === '__metadata__') metadata = metadataOf(value, fail);
    else tensors.push([name, entryOf(name, value, dataStart, fail)]);
  }
  tensors.sort(([, a], [, b]) => a.start - b.start || a.end - b.end);
  let previousEnd = dataStart;
  for (const [name, { start, end }] of tensors) {
    if (start < previousEnd) return fail(`tensor '${name}' overlaps the one before it`);
    if (start > previousEnd) return fail(`${start - previousEnd} bytes before tensor '${name}' belong to no tensor`);
    if (end > fileBytes) return fail(`tensor '${name}' ends at byte ${end}, the file has ${fileBytes}`);
    previousEnd = end;
  }
  if (previousEnd < fileBytes) return fail(`its last ${fileBytes - previousEnd} bytes belong to no tensor`);
  return { path, tensors: new Map(tensors), metadata, dataStart };
}

function headerObject(bytes: Uint8Array, fail: (why: string) => never): ReadonlyMap<string, HeaderValue> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return fail('its header is not UTF-8');
  }
  if (!text.startsWith('{')) return fail("its header does not begin with '{'");
  try {
    return parseHeaderJson(text) as ReadonlyMap<string, HeaderValue>;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return fail(`its header is not JSON: ${error.message}`);
  }
}

function metadataOf(value: HeaderValue, fail: (why: string) => never): Record<string, string> {
  if (value === null) return {};
  const isTexts = value instanceof Map && [...value.values()].every((text) => typeof text === 'string');
  if (!isTexts) return fail('its __metadata__ is not an object of texts');
  return Object.fromEntries(value as ReadonlyMap<string, string>);
}

function entryOf(name: string, value: HeaderValue, dataStart: number, fail: (why: string) => never): TensorEntry {
  if (!(value instanceof Map)) return fail(`tensor '${name}' is not an object of dtype, shape and data_offsets`);
  const [dtype, shape, offsets] = ['dtype', 'shape', 'data_offsets'].map((key) => value.get(key));
  const isCount = (n: unknown): n is number => Number.isSafeInteger(n);
  if (!Array.isArray(shape) || !shape.every(isCount)) return fail(`tensor '${name}' has no valid shape`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount) || offsets[1] < offsets[0]) {
    return fail(`tensor '${name}' has no valid data_offsets`);
  }
  if (typeof dtype !== 'string' || !Object.hasOwn(BITS_PER_ELEMENT, dtype)) {
    const known = Object.keys(BITS_PER_ELEMENT).join(', ');
    return fail(`tensor '${name}' has dtype ${JSON.stringify(dtype)?.slice(0, 40)}; known are ${known}`);
  }
  let bits = 1n;
  for (const n of [...shape, BITS_PER_ELEMENT[dtype as SafetensorsDtype]]) {
    bits *= BigInt(n);
    if (bits > MAX_COUNT) return fail(`tensor '${name}' [${shape}] ${dtype} has more elements than can be counted`);
  }
  const [start, end] = [dataStart + offsets[0], dataStart + offsets[1]];
  if (BigInt(end - start) * 8n !== bits) {
    const needed = bits % 8n === 0n ? `${bits / 8n} bytes` : `${bits} bits`;
    return fail(`tensor '${name}' [${shape}] ${dtype} needs ${needed}, its offsets span ${end - start}`);
  }
  return { dtype: dtype as SafetensorsDtype, shape, start, end };
}
