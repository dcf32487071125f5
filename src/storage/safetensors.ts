/**
 * @file The safetensors format: u64 header length, a JSON header `{name: {dtype, shape, data_offsets}}`, then the bytes.
 * Source: https://github.com/huggingface/safetensors#format. Headers can be read without loading any tensor.
 */
import { closeSync, fstatSync, readSync } from 'node:fs';
import { UserError } from '#src/errors';
import { writeFileAtomic } from './atomicWrite.js';
import { openFile } from './openFile.js';
import { systemErrorWords } from './systemError.js';

/** Supported element types for reading; F32, I32 and U8 are written. */
const BYTES_PER_ELEMENT = { F32: 4, F64: 8, F16: 2, BF16: 2, I64: 8, I32: 4, U8: 1 } as const;
export type SafetensorsDtype = keyof typeof BYTES_PER_ELEMENT;

export interface TensorEntry {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** Byte range in the file, [start, end). */
  readonly start: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly path: string;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A tensor in host memory. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array | Int32Array | Uint8Array;
}

const MAX_HEADER_BYTES = 100_000_000;

/**
 * Reads only the header and validates it: offsets inside the file, no overlap, sizes that match the shapes.
 *
 * @throws UserError for the first problem, naming the tensor
 */
export function readSafetensorsHeader(path: string): SafetensorsHeader {
  const descriptor = openOrThrow(path);
  try {
    const status = fstatSync(descriptor);
    const fileBytes = status.size;
    const prefix = Buffer.alloc(8);
    const fail = (why: string): never => {
      // Names come from the file and may contain line feeds.
      throw new UserError(`${path}: not a valid safetensors file: ${why.replace(/\p{Cc}+/gu, ' ')}`);
    };
    if (readSync(descriptor, prefix, 0, 8, 0) < 8)
      fail(`it has ${fileBytes} bytes, fewer than the 8 of a header length`);
    const headerBytes = Number(prefix.readBigUInt64LE());
    if (headerBytes > MAX_HEADER_BYTES || 8 + headerBytes > fileBytes) {
      fail(`its header claims ${headerBytes} bytes, the file has ${fileBytes}`);
    }
    const text = Buffer.alloc(headerBytes);
    readSync(descriptor, text, 0, headerBytes, 8);
    return parseHeader(path, text.toString('utf8'), 8 + headerBytes, fileBytes, fail);
  } finally {
    closeSync(descriptor);
  }
}

function parseHeader(
  path: string,
  text: string,
  dataStart: number,
  fileBytes: number,
  fail: (why: string) => never,
): SafetensorsHeader {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return fail('its header is not JSON');
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return fail('its header is not a JSON object');
  const tensors = new Map<string, TensorEntry>();
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(json as Record<string, unknown>)) {
    if (name === '__metadata__') {
      const isText = typeof entry === 'object' && Object.values(entry ?? {}).every((text) => typeof text === 'string');
      if (!isText || Array.isArray(entry)) return fail('its __metadata__ is not an object of texts');
      metadata = { ...entry } as Record<string, string>;
      continue;
    }
    const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
    const isCount = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;
    if (!Array.isArray(shape) || !shape.every(isCount)) return fail(`tensor '${name}' has no valid shape`);
    if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
      return fail(`tensor '${name}' has no valid data_offsets`);
    }
    if (typeof dtype !== 'string' || !Object.hasOwn(BYTES_PER_ELEMENT, dtype)) {
      return fail(
        `tensor '${name}' has dtype ${JSON.stringify(dtype)}; known are ${Object.keys(BYTES_PER_ELEMENT).join(', ')}`,
      );
    }
    const bytes = shape.reduce((product, n) => product * n, 1) * BYTES_PER_ELEMENT[dtype as SafetensorsDtype];
    const start = dataStart + offsets[0];
    const end = dataStart + offsets[1];
    if (end - start !== bytes) {
      return fail(`tensor '${name}' [${shape}] ${dtype} needs ${bytes} bytes, its offsets span ${end - start}`);
    }
    if (end > fileBytes) return fail(`tensor '${name}' ends at byte ${end}, the file has ${fileBytes}`);
    tensors.set(name, { dtype: dtype as SafetensorsDtype, shape, start, end });
  }
  let previousEnd = dataStart;
  for (const [name, entry] of [...tensors].sort((a, b) => a[1].start - b[1].start || a[1].end - b[1].end)) {
    if (entry.start < previousEnd) return fail(`tensor '${name}' overlaps the one before it`);
    previousEnd = entry.end;
  }
  return { path, tensors, metadata };
}

/** Reads the raw bytes of one tensor. */
export function readTensorBytes(header: SafetensorsHeader, name: string): Uint8Array {
  const entry = header.tensors.get(name);
  if (entry === undefined) throw new UserError(`${header.path}: expected a tensor '${name}', it has none of that name`);
  const descriptor = openOrThrow(header.path);
  try {
    const bytes = new Uint8Array(entry.end - entry.start);
    for (let done = 0; done < bytes.length; ) {
      const count = readSync(descriptor, bytes, done, bytes.length - done, entry.start + done);
      if (count === 0) throw new UserError(`${header.path}: ends inside tensor '${name}'`);
      done += count;
    }
    return bytes;
  } finally {
    closeSync(descriptor);
  }
}

/** Reads one tensor as float32 (any float type) or int32 (any integer type; int64 values beyond 32 bits are rejected). */
export function readTensor(header: SafetensorsHeader, name: string): HostTensor {
  const bytes = readTensorBytes(header, name);
  const { dtype, shape } = header.tensors.get(name) as TensorEntry;
  return { shape, values: decode(bytes, dtype, `${header.path}: tensor '${name}'`) };
}

/** Reads every tensor of a file. */
export function readSafetensors(path: string): { tensors: Map<string, HostTensor>; metadata: Record<string, string> } {
  const header = readSafetensorsHeader(path);
  const tensors = new Map<string, HostTensor>();
  for (const name of header.tensors.keys()) tensors.set(name, readTensor(header, name));
  return { tensors, metadata: { ...header.metadata } };
}

/**
 * Writes tensors in name order, so that equal content gives equal bytes.
 *
 * @param metadata arbitrary strings, stored under `__metadata__`
 */
export function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, HostTensor>,
  metadata: Readonly<Record<string, string>> = {},
): void {
  const header: Record<string, unknown> = {};
  if (Object.keys(metadata).length > 0) header.__metadata__ = metadata;
  const names = [...tensors.keys()].sort();
  let offset = 0;
  for (const name of names) {
    const { shape, values } = tensors.get(name) as HostTensor;
    const dtype = values instanceof Float32Array ? 'F32' : values instanceof Int32Array ? 'I32' : 'U8';
    header[name] = { dtype, shape, data_offsets: [offset, offset + values.byteLength] };
    offset += values.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  const paddedLength = Math.ceil(json.length / 8) * 8;
  const head = Buffer.alloc(8 + paddedLength, ' ');
  head.writeBigUInt64LE(BigInt(paddedLength));
  json.copy(head, 8);
  writeFileAtomic(
    path,
    (function* () {
      yield head;
      for (const name of names) {
        const { values } = tensors.get(name) as HostTensor;
        yield new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      }
    })(),
  );
}

function openOrThrow(path: string): number {
  try {
    return openFile(path).descriptor;
  } catch (error) {
    throw new UserError(`cannot read tensors ${path}: ${systemErrorWords(error)}`);
  }
}

function decode(bytes: Uint8Array, dtype: SafetensorsDtype, what: string): HostTensor['values'] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = bytes.byteLength / BYTES_PER_ELEMENT[dtype];
  switch (dtype) {
    case 'U8':
      return bytes;
    case 'F32':
      return new Float32Array(bytes.buffer, bytes.byteOffset, count);
    case 'I32':
      return new Int32Array(bytes.buffer, bytes.byteOffset, count);
    case 'F64':
      return Float32Array.from({ length: count }, (_, i) => view.getFloat64(i * 8, true));
    case 'BF16': {
      const widened = Uint32Array.from({ length: count }, (_, i) => view.getUint16(i * 2, true) << 16);
      return new Float32Array(widened.buffer);
    }
    case 'F16':
      return Float32Array.from({ length: count }, (_, i) => halfToFloat(view.getUint16(i * 2, true)));
    case 'I64':
      return Int32Array.from({ length: count }, (_, i) => {
        const value = view.getBigInt64(i * 8, true);
        if (value !== BigInt.asIntN(32, value)) throw new UserError(`${what}: ${value} does not fit 32 bits`);
        return Number(value);
      });
  }
}

/** IEEE 754 binary16 to a number. */
function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
