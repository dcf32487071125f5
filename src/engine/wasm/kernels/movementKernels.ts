import { tf } from '../../tf.js';
import type { KernelContext, WasmKernel } from './kernelContext.js';

/** TensorFlow.js's own kernels that only move numbers; what is not covered here goes to the stock ones. */
export function movementKernels(context: KernelContext): Record<string, WasmKernel> {
  const { module, address } = context;

  /** The stock kernel copies all of x before it takes a part of it. */
  function slice(x: tf.TensorInfo, begin: number[], size: number[]): tf.TensorInfo {
    tf.slice_util.assertParamsValid(x, begin, size);
    const output = context.output(size, x.dtype);
    const bytes = tf.util.bytesPerElement(x.dtype);
    const strides = [...tf.util.computeStrides(x.shape), 1].map((stride) => stride * bytes); // of axis i: strides[i]
    let width = bytes;
    let inner = size.length; // axes from here on are one run of bytes
    while (inner > 0 && (inner === size.length || size[inner] === x.shape[inner])) width *= size[--inner];
    let outer = inner; // axes from here to `inner` are rows at one stride
    let rows = 1;
    while (outer > 0 && (outer === inner || size[outer] === x.shape[outer])) rows *= size[--outer];
    const start = begin.reduce((sum, place, axis) => sum + place * strides[axis], address(x));
    const rowStride = inner > 0 ? strides[inner - 1] : width;
    const blocks = tf.util.sizeFromShape(size.slice(0, outer));
    for (let block = 0; block < blocks; block++) {
      let from = start;
      for (let axis = outer - 1, rest = block; axis >= 0; axis--) {
        from += (rest % size[axis]) * strides[axis];
        rest = Math.floor(rest / size[axis]);
      }
      module.copyRows(from, rowStride, address(output) + block * rows * width, width, rows, width);
    }
    return output;
  }

  /** Consecutive parts of x along an axis. */
  function split(x: tf.TensorInfo, sizes: readonly number[], axis: number): tf.TensorInfo[] {
    let place = 0;
    return sizes.map((part) => {
      const begin = x.shape.map((_, i) => (i === axis ? place : 0));
      place += part;
      return slice(x, begin, x.shape.with(axis, part));
    });
  }

  return {
    [tf.Slice]: ({ x }, { begin, size }) => {
      if (x.dtype === 'string') return context.stock(tf.Slice, { x }, { begin, size });
      return slice(
        x,
        ...(tf.slice_util.parseSliceParams(x as tf.Tensor, begin as number[], size as number[]) as [
          number[],
          number[],
        ]),
      );
    },
    [tf.SplitV]: ({ x }, { numOrSizeSplits, axis }) => {
      if (x.dtype === 'string') return context.stock(tf.SplitV, { x }, { numOrSizeSplits, axis });
      const [along] = tf.util.parseAxisParam(axis as number, x.shape);
      return split(
        x,
        tf.backend_util.prepareSplitSize(x as tf.Tensor, numOrSizeSplits as number[] | number, along),
        along,
      );
    },
    [tf.Unpack]: ({ value }, { axis }) => {
      if (value.dtype === 'string') return context.stock(tf.Unpack, { value }, { axis });
      const [along] = tf.util.parseAxisParam(axis as number, value.shape);
      const shape = value.shape.filter((_, i) => i !== along);
      return split(value, Array(value.shape[along]).fill(1), along).map((part) => ({ ...part, shape }));
    },
    [tf.GatherV2]: ({ x, indices }, { axis, batchDims }) => {
      if (x.dtype === 'string' || indices.dtype !== 'int32') {
        return context.stock(tf.GatherV2, { x, indices }, { axis, batchDims });
      }
      const [along] = tf.util.parseAxisParam(axis as number, x.shape);
      const { segment_util } = tf.backend_util;
      const tensors = [x, indices] as tf.Tensor[];
      const { batchSize, outerSize, dimSize, sliceSize, outputShape } = segment_util.collectGatherOpShapeInfo(
        tensors[0],
        tensors[1],
        along,
        batchDims as number,
      );
      const output = context.output(outputShape, x.dtype);
      const bytes = sliceSize * tf.util.bytesPerElement(x.dtype);
      const count = tf.util.sizeFromShape(indices.shape) / batchSize;
      for (let block = 0; block < batchSize * outerSize; block++) {
        const ids = address(indices) + Math.floor(block / outerSize) * count * 4;
        const from = address(x) + block * dimSize * bytes;
        const bad = module.gatherRows(from, ids, address(output) + block * count * bytes, count, dimSize, bytes);
        if (bad >= 0) throw new Error(`GatherV2: expected indices in [0, ${dimSize}), got another at place ${bad}`);
      }
      return output;
    },
    [tf.Transpose]: ({ x }, { perm }) => {
      const axes = perm as number[];
      const swap = x.dtype === 'float32' || x.dtype === 'int32' ? axisSwap(x.shape, axes) : undefined;
      if (swap === undefined) return context.stock(tf.Transpose, { x }, { perm });
      const [batch, rows, columns, width] = swap;
      const output = context.output(
        axes.map((axis) => x.shape[axis]),
        x.dtype,
      );
      if (width === 1) module.transposeMatrices(address(x), address(output), batch, rows, columns);
      else module.swapAxes(address(x), address(output), batch, rows, columns, width);
      return output;
    },
  };
}

/**
 * A permutation that swaps two neighbouring (groups of) axes, as [batch, rows, columns, width] → [batch, columns, rows,
 * width]; undefined for any other, the identity among them.
 */
function axisSwap(shape: readonly number[], perm: readonly number[]): [number, number, number, number] | undefined {
  const order = perm.filter((axis) => shape[axis] !== 1); // axes of size 1 move nothing
  const sorted = [...order].sort((a, b) => a - b);
  const size = (axes: readonly number[]): number => axes.reduce((product, axis) => product * shape[axis], 1);
  let first = 0;
  while (first < order.length && order[first] === sorted[first]) first++;
  if (first === order.length) return undefined;
  let last = order.length;
  while (order[last - 1] === sorted[last - 1]) last--;
  const moved = order.slice(first, last);
  const inPlace = sorted.slice(first, last);
  const turn = moved.indexOf(inPlace[0]);
  const swapped = [...moved.slice(turn), ...moved.slice(0, turn)];
  if (swapped.some((axis, i) => axis !== inPlace[i])) return undefined;
  return [size(order.slice(0, first)), size(moved.slice(turn)), size(moved.slice(0, turn)), size(order.slice(last))];
}
