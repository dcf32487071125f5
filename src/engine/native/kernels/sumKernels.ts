import type { StockKernels } from '../../shared/index.js';
import { tf } from '../../shared/index.js';
import { allFloat, type KernelContext, sizeOf } from './kernelContext.js';

/** `Sum`, `Mean` and `UnsortedSegmentSum` of float32. */
export function sumKernels(context: KernelContext): StockKernels<'Sum' | 'Mean' | 'UnsortedSegmentSum'> {
  const { addon, numbers, output, stock, backend } = context;

  /** Sums along some axes, last first, times `factor`. */
  function sum(x: tf.TensorInfo, axes: readonly number[], keepDims: boolean, factor: number): tf.TensorInfo {
    let sizes = [...x.shape];
    let from = x;
    let rest = [...axes].sort((a, b) => a - b);
    while (rest.length > 0) {
      const last = rest[rest.length - 1];
      let first = last;
      while (rest.includes(first - 1)) first--;
      rest = rest.filter((axis) => axis < first);
      const outer = sizeOf(sizes.slice(0, first));
      const rows = sizeOf(sizes.slice(first, last + 1));
      const inner = sizeOf(sizes.slice(last + 1));
      const scale = rest.length === 0 ? factor : 1;
      sizes = sizes.map((size, axis) => (axis >= first && axis <= last ? 1 : size));
      const to = output(sizes);
      if (inner === 1) addon.sumRows(outer, rows, scale, numbers(from), numbers(to));
      else addon.sumColumns(outer, rows, inner, scale, numbers(from), numbers(to));
      if (from !== x) backend.disposeData(from.dataId);
      from = to;
    }
    const shape = keepDims ? sizes : sizes.filter((_, axis) => !axes.includes(axis));
    return { ...from, shape };
  }

  const reduction =
    (name: 'Sum' | 'Mean'): StockKernels<'Sum' | 'Mean'>[typeof name] =>
    ({ x }, attributes) => {
      const axes = tf.util.parseAxisParam(attributes.axis, x.shape);
      const count = sizeOf(axes.map((axis) => x.shape[axis]));
      if (!allFloat(x) || axes.length === 0 || sizeOf(x.shape) === 0) return stock(name, { x }, attributes);
      return sum(x, axes, attributes.keepDims === true, name === 'Mean' ? 1 / count : 1);
    };

  return {
    Sum: reduction('Sum'),
    Mean: reduction('Mean'),
    UnsortedSegmentSum: ({ x, segmentIds }, attributes) => {
      if (!allFloat(x) || segmentIds.dtype !== 'int32') {
        return stock('UnsortedSegmentSum', { x, segmentIds }, attributes);
      }
      const { numSegments } = attributes;
      const inner = x.shape.slice(segmentIds.shape.length);
      const result = output([numSegments, ...inner]);
      const rows = sizeOf(segmentIds.shape);
      addon.segmentSum(rows, sizeOf(inner), numSegments, ...[x, segmentIds, result].map(numbers));
      return result;
    },
  };
}
