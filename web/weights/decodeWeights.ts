import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { HostTensor } from '#src/storage';
import { float16Table } from './float16.js';
import type { StoredTensor, StoredWeights } from './storedWeights.js';

/**
 * The tensors of stored weights, in float32: what the page computes with, and what an export is checked with.
 *
 * @param shards contents of the files, in the order of `shards`
 * @throws Error for a file that is not the one that was written
 */
export function decodeWeights(
  { shards: expected, tensors }: StoredWeights,
  shards: readonly Uint8Array[],
): Map<string, HostTensor> {
  for (const [i, { file, bytes, sha256: hash }] of expected.entries()) {
    if (shards[i]?.length !== bytes || bytesToHex(sha256(shards[i])) !== hash) {
      throw new Error(`${file}: expected the ${bytes} bytes that were exported, got others; load the page again`);
    }
  }
  const half = float16Table();
  return new Map(
    tensors.map((tensor) => [
      tensor.name,
      { shape: tensor.shape, values: valuesOf(tensor, shards[tensor.shard], half) },
    ]),
  );
}

function valuesOf({ shape, precision, offset }: StoredTensor, shard: Uint8Array, half: Float32Array): Float32Array {
  const count = shape.reduce((product, size) => product * size, 1);
  const view = new DataView(shard.buffer, shard.byteOffset + offset);
  const values = new Float32Array(count);
  if (precision === 'float32') {
    for (let i = 0; i < count; i++) values[i] = view.getFloat32(4 * i, true);
  } else if (precision === 'float16') {
    for (let i = 0; i < count; i++) values[i] = half[view.getUint16(2 * i, true)];
  } else {
    const width = shape[shape.length - 1];
    const rows = count / width;
    for (let row = 0; row < rows; row++) {
      const scale = view.getFloat32(4 * row, true);
      for (let i = row * width; i < (row + 1) * width; i++) values[i] = scale * view.getInt8(4 * rows + i);
    }
  }
  return values;
}
