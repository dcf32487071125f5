/** @file TensorBoard's `HistogramProto`: counts between bucket limits, with the moments of the data. */
import type { BinaryWriter } from '@bufbuild/protobuf/wire';
import { readDoubles, readMessage, writeDouble, writeDoubles } from './message.js';

/** Bucket i counts the values in (bucketLimits[i-1], bucketLimits[i]]; the first bucket begins at `min`, included. */
export interface Histogram {
  readonly min: number;
  readonly max: number;
  readonly count: number;
  readonly sum: number;
  readonly sumSquares: number;
  readonly bucketLimits: readonly number[];
  readonly buckets: readonly number[];
}

/** As many as TensorBoard shows: it re-bins what it is given to 30. */
const NUM_BUCKETS = 30;

/**
 * Counts values into 30 buckets of equal width between their minimum and maximum (one bucket if all are equal).
 *
 * @throws RangeError when there is no value, or one that is not finite
 */
export function summarizeHistogram(values: ArrayLike<number>): Histogram {
  if (values.length === 0) throw new RangeError('histogram: expected at least one value, got none');
  let [min, max, sum, sumSquares] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0];
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (!Number.isFinite(value)) throw new RangeError(`histogram: expected finite values, got ${value} at index ${i}`);
    min = Math.min(min, value);
    max = Math.max(max, value);
    sum += value;
    sumSquares += value * value;
  }
  const numBuckets = min === max ? 1 : NUM_BUCKETS;
  // Twice the half width, because the width of [-1e308, 1e308] is not a finite number.
  const halfWidth = max / 2 - min / 2;
  const limit = (i: number): number => {
    const share = halfWidth * ((i + 1) / numBuckets);
    return Math.min(min + share + share, max);
  };
  const bucketLimits = Array.from({ length: numBuckets }, (_, i) => (i === numBuckets - 1 ? max : limit(i)));
  const buckets = new Array<number>(numBuckets).fill(0);
  for (let i = 0; i < values.length; i++) buckets[firstLimitNotBelow(bucketLimits, values[i])]++;
  return { min, max, count: values.length, sum, sumSquares, bucketLimits, buckets };
}

/** Binary search, so that a value and the limits are compared as they are stored, without a rounded division. */
function firstLimitNotBelow(limits: readonly number[], value: number): number {
  let low = 0;
  let high = limits.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (value <= limits[middle]) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Writes the fields of a `HistogramProto`. */
export function writeHistogram(writer: BinaryWriter, histogram: Histogram): void {
  writeDouble(writer, 1, histogram.min);
  writeDouble(writer, 2, histogram.max);
  writeDouble(writer, 3, histogram.count);
  writeDouble(writer, 4, histogram.sum);
  writeDouble(writer, 5, histogram.sumSquares);
  writeDoubles(writer, 6, histogram.bucketLimits);
  writeDoubles(writer, 7, histogram.buckets);
}

/** Reads a `HistogramProto`. */
export function readHistogram(bytes: Uint8Array): Histogram {
  const moments = { min: 0, max: 0, count: 0, sum: 0, sumSquares: 0 };
  const bucketLimits: number[] = [];
  const buckets: number[] = [];
  readMessage(bytes, {
    1: (reader) => {
      moments.min = reader.double();
    },
    2: (reader) => {
      moments.max = reader.double();
    },
    3: (reader) => {
      moments.count = reader.double();
    },
    4: (reader) => {
      moments.sum = reader.double();
    },
    5: (reader) => {
      moments.sumSquares = reader.double();
    },
    6: (reader, wireType) => readDoubles(reader, wireType, bucketLimits),
    7: (reader, wireType) => readDoubles(reader, wireType, buckets),
  });
  return { ...moments, bucketLimits, buckets };
}
