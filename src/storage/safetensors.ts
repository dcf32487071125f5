/**
 * @file Tensors in safetensors files: the bytes of all tensors, one after the other, behind the header.
 * Source: https://github.com/huggingface/safetensors#format.
 */
import { closeSync, readSync } from 'node:fs';
import { UserError } from '#src/errors';
import { writeFileAtomic } from './atomicWrite.js';
import { openToRead } from './openToRead.js';
import { readHeaderOf, type SafetensorsDtype, type SafetensorsHeader, type TensorEntry } from './safetensorsHeader.js';

/** A tensor in host memory. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array | Int32Array | Uint8Array;
}

/** A file's tensors and the texts beside them. */
export interface SafetensorsFile {
  readonly tensors: Map<string, HostTensor>;
  readonly metadata: Record<string, string>;
}

/** Reads the raw bytes of one tensor. */
export function readTensorBytes(header: SafetensorsHeader, name: string): Uint8Array {
  const entry = header.tensors.get(name);
  if (entry === undefined) throw new UserError(`${header.path}: expected a tensor '${name}', it has none of that name`);
  const { descriptor } = openToRead(header.path, 'tensors');
  try {
    return bytesOf(descriptor, header.path, name, entry);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Reads every tensor of a file, once and from its first byte to its last: as float32 (any float type) or int32 (any integer type;
 * int64 values beyond 32 bits are rejected).
 *
 * @param check may refuse the file once its header is known
 * @param onBytes receives all bytes of the file, in order
 */
export function readSafetensors(
  path: string,
  check?: (header: SafetensorsHeader) => void,
  onBytes?: (bytes: Uint8Array) => void,
): SafetensorsFile {
  const { descriptor } = openToRead(path, 'tensors');
  try {
    const { header, bytes: headerBytes } = readHeaderOf(descriptor, path);
    check?.(header);
    onBytes?.(headerBytes);
    const tensors = new Map<string, HostTensor>();
    for (const [name, entry] of header.tensors) {
      const bytes = bytesOf(descriptor, path, name, entry);
      onBytes?.(bytes);
      tensors.set(name, { shape: entry.shape, values: decode(bytes, entry.dtype, `${path}: tensor '${name}'`) });
    }
    return { tensors, metadata: { ...header.metadata } };
  } finally {
    closeSync(descriptor);
  }
}

function bytesOf(descriptor: number, path: string, name: string, { start, end }: TensorEntry): Uint8Array {
  const bytes = new Uint8Array(end - start);
  for (let done = 0; done < bytes.length; ) {
    const count = readSync(descriptor, bytes, done, bytes.length - done, start + done);
    if (count === 0) throw new UserError(`${path}: ends inside tensor '${name}'`);
    done += count;
  }
  return bytes;
}

/**
 * Writes tensors in name order, so that equal content gives equal bytes.
 *
 * @param metadata arbitrary strings, stored under `__metadata__`
 * @param onBytes receives all bytes of the file, in order
 */
export function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, HostTensor>,
  metadata: Readonly<Record<string, string>> = {},
  onBytes?: (bytes: Uint8Array) => void,
): void {
  const watched = function* (): Generator<Uint8Array> {
    for (const chunk of safetensorsChunks(tensors, metadata)) {
      onBytes?.(chunk);
      yield chunk;
    }
  };
  writeFileAtomic(path, watched());
}

/** The bytes of a file as `writeSafetensors` writes it: length and header, then the tensors in name order. */
export function* safetensorsChunks(
  tensors: ReadonlyMap<string, HostTensor>,
  metadata: Readonly<Record<string, string>>,
): Generator<Uint8Array> {
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
  yield head;
  for (const name of names) {
    const { values } = tensors.get(name) as HostTensor;
    yield new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  }
}

function decode(bytes: Uint8Array, dtype: SafetensorsDtype, what: string): HostTensor['values'] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = bytes.byteLength;
  switch (dtype) {
    case 'U8':
      return bytes;
    case 'F32':
      return new Float32Array(bytes.buffer, bytes.byteOffset, size / 4);
    case 'I32':
      return new Int32Array(bytes.buffer, bytes.byteOffset, size / 4);
    case 'F64':
      return Float32Array.from({ length: size / 8 }, (_, i) => view.getFloat64(i * 8, true));
    case 'BF16': {
      const widened = Uint32Array.from({ length: size / 2 }, (_, i) => view.getUint16(i * 2, true) << 16);
      return new Float32Array(widened.buffer);
    }
    case 'F16':
      return Float32Array.from({ length: size / 2 }, (_, i) => halfToFloat(view.getUint16(i * 2, true)));
    case 'I64':
      return Int32Array.from({ length: size / 8 }, (_, i) => {
        const value = view.getBigInt64(i * 8, true);
        if (value !== BigInt.asIntN(32, value)) throw new UserError(`${what}: ${value} does not fit 32 bits`);
        return Number(value);
      });
    default:
      throw new UserError(`${what}: expected one of F32, F64, F16, BF16, I64, I32, U8, got ${dtype}`);
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
