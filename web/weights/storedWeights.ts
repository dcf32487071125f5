/** How a number of a weight is stored. */
export const WEIGHT_PRECISIONS = ['float32', 'float16', 'int8'] as const;
export type WeightPrecision = (typeof WEIGHT_PRECISIONS)[number];

/** A file of weights. */
export interface WeightShard {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * Where a tensor lies, little-endian, from a multiple of four bytes on.
 *
 * - float32, float16: its numbers
 * - int8: a float32 scale for each row, then a byte q in [−127, 127] for each number, which is scale · q; a row runs along the last axis
 */
export interface StoredTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly precision: WeightPrecision;
  /** Place in the list of shards. */
  readonly shard: number;
  /** In bytes. */
  readonly offset: number;
}

/** All tensors of a model. */
export interface StoredWeights {
  /** Of matrices; scalars are float32, and vectors at least float16. */
  readonly precision: WeightPrecision;
  readonly shards: readonly WeightShard[];
  readonly tensors: readonly StoredTensor[];
}
