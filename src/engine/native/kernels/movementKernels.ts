import { axisSwap, type PlainKernel, type StockKernels, tf } from '../../shared/index.js';
import { type KernelContext, sizeOf } from './kernelContext.js';

type NumberType = 'float32' | 'int32' | 'bool';

const BYTES: Readonly<Record<NumberType, number>> = { float32: 4, int32: 4, bool: 1 };

function isNumbers(dtype: string): dtype is NumberType {
  return dtype in BYTES;
}

/** TensorFlow.js's own kernels that only move numbers; strings go to the cpu kernels. */
export function movementKernels(
  context: KernelContext,
): StockKernels<
  'Slice' | 'PadV2' | 'SplitV' | 'Unpack' | 'Concat' | 'Pack' | 'GatherV2' | 'Transpose' | 'Cast' | 'Fill'
> &
  Record<'ZerosLike' | 'OnesLike', PlainKernel> {
  const { addon, backend, numbers, output, stock, stockPlain } = context;

  /** Copies a box of `size` from `fromBegin` in one tensor to `toBegin` in another of the same dtype and rank. */
  function copyBox(
    from: tf.TensorInfo,
    fromBegin: readonly number[],
    to: tf.TensorInfo,
    toBegin: readonly number[],
    size: readonly number[],
  ): void {
    const bytes = BYTES[to.dtype as NumberType];
    const [fromStrides, toStrides] = [from, to].map(({ shape }) => byteStrides(shape, bytes));
    const whole = (axis: number): boolean => size[axis] === from.shape[axis] && size[axis] === to.shape[axis];
    let width = bytes;
    let inner = size.length; // axes from here on are one run of bytes in both
    while (inner > 0 && (inner === size.length || whole(inner))) width *= size[--inner];
    let outer = inner; // axes from here to `inner` are rows at one stride
    let rows = 1;
    while (outer > 0 && (outer === inner || whole(outer))) rows *= size[--outer];
    const startOf = (begin: readonly number[], strides: readonly number[]): number =>
      begin.reduce((sum, place, axis) => sum + place * strides[axis], 0);
    const starts = [startOf(fromBegin, fromStrides), startOf(toBegin, toStrides)];
    const [fromStride, toStride] = inner > 0 ? [fromStrides[inner - 1], toStrides[inner - 1]] : [width, width];
    const blocks = sizeOf(size.slice(0, outer));
    const [source, target] = [numbers(from), numbers(to)];
    for (let block = 0; block < blocks; block++) {
      let [fromStart, toStart] = starts;
      for (let axis = outer - 1, rest = block; axis >= 0; axis--) {
        fromStart += (rest % size[axis]) * fromStrides[axis];
        toStart += (rest % size[axis]) * toStrides[axis];
        rest = Math.floor(rest / size[axis]);
      }
      addon.copyRows(rows, width, fromStart, fromStride, toStart, toStride, source, target);
    }
  }

  function slice(x: tf.TensorInfo, begin: readonly number[], size: number[], dtype: NumberType): tf.TensorInfo {
    const result = output(size, dtype);
    copyBox(x, begin, result, Array(size.length).fill(0), size);
    return result;
  }

  /** Consecutive parts of x along an axis. */
  function split(x: tf.TensorInfo, sizes: readonly number[], axis: number, dtype: NumberType): tf.TensorInfo[] {
    let place = 0;
    return sizes.map((part) => {
      const begin = x.shape.map((_, i) => (i === axis ? place : 0));
      place += part;
      return slice(x, begin, x.shape.with(axis, part), dtype);
    });
  }

  /** Concatenates parts of those shapes along an axis. */
  function join(parts: readonly tf.TensorInfo[], shapes: number[][], axis: number, dtype: NumberType): tf.TensorInfo {
    const result = output(tf.backend_util.computeOutShape(shapes, axis), dtype);
    const rows = sizeOf(result.shape.slice(0, axis));
    const stride = sizeOf(result.shape.slice(axis)) * BYTES[dtype];
    let place = 0;
    for (const [i, part] of parts.entries()) {
      const width = sizeOf(shapes[i].slice(axis)) * BYTES[dtype];
      addon.copyRows(rows, width, 0, width, place, stride, numbers(part), numbers(result));
      place += width;
    }
    return result;
  }

  const sameNumbers = (tensors: readonly tf.TensorInfo[]): NumberType | undefined => {
    const { dtype } = tensors[0];
    return isNumbers(dtype) && tensors.every((tensor) => tensor.dtype === dtype) ? dtype : undefined;
  };

  return {
    Slice: ({ x }, { begin, size }) => {
      if (!isNumbers(x.dtype)) return stock('Slice', { x }, { begin, size });
      const [from, extent] = tf.slice_util.parseSliceParams(x, begin, size);
      tf.slice_util.assertParamsValid(x, from, extent);
      return slice(x, from, extent, x.dtype);
    },
    PadV2: ({ x }, { paddings, constantValue }) => {
      if (!isNumbers(x.dtype)) return stock('PadV2', { x }, { paddings, constantValue });
      const result = output(
        x.shape.map((size, axis) => paddings[axis][0] + size + paddings[axis][1]),
        x.dtype,
      );
      numbers(result).fill(constantValue);
      const begin = paddings.map(([before]) => before);
      copyBox(x, Array(begin.length).fill(0), result, begin, x.shape);
      return result;
    },
    SplitV: ({ x }, { numOrSizeSplits, axis }) => {
      if (!isNumbers(x.dtype)) return stock('SplitV', { x }, { numOrSizeSplits, axis });
      const [along] = tf.util.parseAxisParam(axis, x.shape);
      const sizes = tf.backend_util.prepareSplitSize(x, numOrSizeSplits, along);
      return split(x, sizes, along, x.dtype);
    },
    Unpack: ({ value }, { axis }) => {
      if (!isNumbers(value.dtype)) return stock('Unpack', { value }, { axis });
      const [along] = tf.util.parseAxisParam(axis, value.shape);
      const shape = value.shape.filter((_, i) => i !== along);
      const parts = split(value, Array(value.shape[along]).fill(1), along, value.dtype);
      return parts.map((part) => ({ ...part, shape }));
    },
    Concat: (inputs, { axis }) => {
      const parts = Object.values(inputs);
      const dtype = sameNumbers(parts);
      if (dtype === undefined) return stock('Concat', inputs, { axis });
      const shapes = parts.map(({ shape }) => shape);
      const [along] = tf.util.parseAxisParam(axis, shapes[0]);
      tf.backend_util.assertParamsConsistent(shapes, along);
      return join(parts, shapes, along, dtype);
    },
    Pack: (inputs, { axis }) => {
      const parts = Object.values(inputs);
      const dtype = sameNumbers(parts);
      const { shape } = parts[0];
      const along = axis < 0 ? axis + shape.length + 1 : axis;
      const alike = parts.every((part) => part.shape.join() === shape.join());
      if (dtype === undefined || !alike) return stock('Pack', inputs, { axis });
      const widened = [...shape.slice(0, along), 1, ...shape.slice(along)];
      return join(parts, Array(parts.length).fill(widened), along, dtype);
    },
    GatherV2: ({ x, indices }, { axis, batchDims }) => {
      if (!isNumbers(x.dtype) || indices.dtype !== 'int32') {
        return stock('GatherV2', { x, indices }, { axis, batchDims });
      }
      const [along] = tf.util.parseAxisParam(axis, x.shape);
      const { batchSize, outerSize, dimSize, sliceSize, outputShape } =
        tf.backend_util.segment_util.collectGatherOpShapeInfo(x, indices, along, batchDims ?? 0);
      const result = output(outputShape, x.dtype);
      const count = sizeOf(indices.shape) / Math.max(1, batchSize);
      const sizes = [batchSize * outerSize, Math.max(1, outerSize), count, dimSize, sliceSize * BYTES[x.dtype]];
      addon.gatherRows(...sizes, numbers(x), numbers(indices), numbers(result));
      return result;
    },
    Transpose: ({ x }, { perm }) => {
      // The gradient of a gather asks for the order they are in already.
      if (perm.every((axis, i) => axis === i)) return backend.sameNumbers(x, x.shape);
      const { dtype } = x;
      const swap = dtype === 'float32' || dtype === 'int32' ? axisSwap(x.shape, perm) : undefined;
      if (swap === undefined || !isNumbers(dtype)) return stock('Transpose', { x }, { perm });
      const shape = perm.map((axis) => x.shape[axis]);
      const result = output(shape, dtype);
      addon.swapAxes(...swap, numbers(x), numbers(result));
      return result;
    },
    Cast: ({ x }, { dtype }) => {
      const widens = (x.dtype === 'int32' && dtype === 'float32') || (x.dtype === 'bool' && dtype !== 'complex64');
      // The cpu kernel only renames what a wider dtype holds as well; here the numbers are of the dtype's kind.
      if (!widens || !isNumbers(dtype) || dtype === x.dtype) return stock('Cast', { x }, { dtype });
      const result = output(x.shape, dtype);
      numbers(result).set(numbers(x));
      return result;
    },
    ZerosLike: ({ x }) => {
      if (!isNumbers(x.dtype)) return stockPlain('ZerosLike', { x });
      const result = output(x.shape, x.dtype);
      numbers(result).fill(0);
      return result;
    },
    OnesLike: ({ x }) => {
      if (!isNumbers(x.dtype)) return stockPlain('OnesLike', { x });
      const result = output(x.shape, x.dtype);
      numbers(result).fill(1);
      return result;
    },
    Fill: (inputs, attributes) => {
      const { shape, value, dtype = 'float32' } = attributes;
      if (typeof value !== 'number' || !isNumbers(dtype)) return stock('Fill', inputs, attributes);
      const result = output(shape, dtype);
      numbers(result).fill(value);
      return result;
    },
  };
}

/** Stride of every axis in bytes. */
function byteStrides(shape: readonly number[], bytes: number): number[] {
  const strides = Array<number>(shape.length);
  let stride = bytes;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}
