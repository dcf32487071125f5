import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { HostTensor } from '#src/storage';
import { FLOAT16_MAX, float16Bits } from './float16.js';
import type { StoredTensor, StoredWeights, WeightPrecision } from './storedWeights.js';

/** A file holds whole tensors, and no further one from here on. */
const SHARD_BYTES = 4 * 2 ** 20;

/** Stored weights with the contents of their files. */
export interface EncodedWeights {
  readonly stored: StoredWeights;
  readonly shards: readonly Uint8Array[];
}

/** Whether float16 has room for all numbers. */
export function fitsFloat16(tensors: ReadonlyMap<string, HostTensor>): boolean {
  return [...tensors.values()].every(({ values }) => values.every((value) => Math.abs(value) <= FLOAT16_MAX));
}

/**
 * Stores tensors for a page, matrices in `precision`. Scalars stay float32, vectors float16 or better, tensors that float16 has no room
 * for float32: they are few, and rounding errors in them count most.
 */
export function encodeWeights(tensors: ReadonlyMap<string, HostTensor>, precision: WeightPrecision): EncodedWeights {
  const parts: Uint8Array[][] = [];
  const sizes: number[] = [];
  const stored = [...tensors].map(([name, tensor]): StoredTensor => {
    const own = precisionOf(tensor, precision);
    const bytes = encode(tensor, own);
    if (parts.length === 0 || sizes[sizes.length - 1] + bytes.length > SHARD_BYTES) {
      parts.push([]);
      sizes.push(0);
    }
    const shard = parts.length - 1;
    const offset = sizes[shard];
    parts[shard].push(bytes);
    sizes[shard] += bytes.length;
    return { name, shape: tensor.shape, precision: own, shard, offset };
  });
  const shards = parts.map((list) => new Uint8Array(Buffer.concat(list)));
  const files = shards.map((bytes, i) => ({
    file: `weights-${i + 1}.bin`,
    bytes: bytes.length,
    sha256: bytesToHex(sha256(bytes)),
  }));
  return { stored: { precision, shards: files, tensors: stored }, shards };
}

function precisionOf({ shape, values }: HostTensor, wanted: WeightPrecision): WeightPrecision {
  if (shape.length === 0 || wanted === 'float32') return 'float32';
  if (wanted === 'int8' && shape.length > 1) return 'int8';
  return values.every((value) => Math.abs(value) <= FLOAT16_MAX) ? 'float16' : 'float32';
}

/** A multiple of four bytes. */
function encode({ shape, values }: HostTensor, precision: WeightPrecision): Uint8Array {
  if (precision === 'float32') {
    const bytes = new Uint8Array(4 * values.length);
    const view = new DataView(bytes.buffer);
    for (const [i, value] of values.entries()) view.setFloat32(4 * i, value, true);
    return bytes;
  }
  if (precision === 'float16') {
    const bytes = new Uint8Array(padded(2 * values.length));
    const view = new DataView(bytes.buffer);
    for (const [i, value] of values.entries()) view.setUint16(2 * i, float16Bits(value), true);
    return bytes;
  }
  const width = shape[shape.length - 1];
  const rows = width === 0 ? 0 : values.length / width;
  const bytes = new Uint8Array(padded(4 * rows + values.length));
  const view = new DataView(bytes.buffer);
  for (let row = 0; row < rows; row++) {
    const own = values.subarray(row * width, (row + 1) * width);
    let most = 0;
    for (const value of own) most = Math.max(most, Math.abs(value));
    // As the page reads it back: float32.
    const scale = Math.fround(most / 127);
    view.setFloat32(4 * row, scale, true);
    for (const [i, value] of own.entries()) {
      const q = scale === 0 ? 0 : Math.max(-127, Math.min(127, Math.round(value / scale)));
      view.setInt8(4 * rows + row * width + i, q);
    }
  }
  return bytes;
}

function padded(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}
