import { axisSwap, type StockKernels, tf } from '../../shared/index.js';
import type { KernelContext } from './kernelContext.js';

/** TensorFlow.js's own kernels that only move numbers; what is not covered here goes to the stock ones. */
export function movementKernels(
  context: KernelContext,
): StockKernels<'Slice' | 'SplitV' | 'Unpack' | 'GatherV2' | 'Transpose'> {
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
    Slice: ({ x }, { begin, size }) => {
      if (x.dtype === 'string') return context.stock('Slice', { x }, { begin, size });
      const [from, extent] = tf.slice_util.parseSliceParams(x, begin, size);
      return slice(x, from, extent);
    },
    SplitV: ({ x }, { numOrSizeSplits, axis }) => {
      if (x.dtype === 'string') return context.stock('SplitV', { x }, { numOrSizeSplits, axis });
      const [along] = tf.util.parseAxisParam(axis, x.shape);
      return split(x, tf.backend_util.prepareSplitSize(x, numOrSizeSplits, along), along);
    },
    Unpack: ({ value }, { axis }) => {
      if (value.dtype === 'string') return context.stock('Unpack', { value }, { axis });
      const [along] = tf.util.parseAxisParam(axis, value.shape);
      const shape = value.shape.filter((_, i) => i !== along);
      return split(value, Array(value.shape[along]).fill(1), along).map((part) => ({ ...part, shape }));
    },
    GatherV2: ({ x, indices }, { axis, batchDims }) => {
      if (x.dtype === 'string' || indices.dtype !== 'int32') {
        return context.stock('GatherV2', { x, indices }, { axis, batchDims });
      }
      const [along] = tf.util.parseAxisParam(axis, x.shape);
      const { batchSize, outerSize, dimSize, sliceSize, outputShape } =
        tf.backend_util.segment_util.collectGatherOpShapeInfo(x, indices, along, batchDims);
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
    Transpose: ({ x }, { perm }) => {
      const swap = x.dtype === 'float32' || x.dtype === 'int32' ? axisSwap(x.shape, perm) : undefined;
      if (swap === undefined) return context.stock('Transpose', { x }, { perm });
      const [batch, rows, columns, width] = swap;
      const output = context.output(
        perm.map((axis) => x.shape[axis]),
        x.dtype,
      );
      if (width === 1) module.transposeMatrices(address(x), address(output), batch, rows, columns);
      else module.swapAxes(address(x), address(output), batch, rows, columns, width);
      return output;
    },
  };
}
