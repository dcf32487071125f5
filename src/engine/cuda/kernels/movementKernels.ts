import { axisSwap, type PlainKernel, type StockKernels, tf } from '../../shared/index.js';
import { byteSize, gridOf, type KernelContext, MOST_ELEMENTS, sizeOf, staysOnHost } from './context.js';
import { floatBits, isNumbers, NUMBER_BYTES, type NumberType } from './numbers.js';

/** Axes that one launch goes through, at most. */
const MAX_RANK = 6;
/** Bytes of the widest word. */
const WIDE = 16;
/** The most blocks of a grid along y and z. */
const MOST_BLOCKS = 65535;

/** An axis of a box: its size, and elements from one place to the next in both tensors. */
type Axis = readonly [size: number, from: number, to: number];

/** Elements from one place to the next along every axis of a tensor without gaps. */
function stridesOf(shape: readonly number[]): number[] {
  const strides = Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

/** The same box with as few axes as possible. */
function fewest(axes: readonly Axis[]): Axis[] {
  const result: Axis[] = [];
  for (const [size, from, to] of axes) {
    if (size === 1) continue;
    const outer = result.at(-1);
    const joins = outer !== undefined && outer[1] === size * from && outer[2] === size * to;
    if (joins) result[result.length - 1] = [outer[0] * size, from, to];
    else result.push([size, from, to]);
  }
  return result;
}

/** Copies a box of numbers of the same dtype from one tensor into another; starts and steps are in elements. */
export function moveBox(
  context: KernelContext,
  from: tf.TensorInfo,
  fromStart: number,
  to: tf.TensorInfo,
  toStart: number,
  axes: readonly Axis[],
): void {
  if (axes.some(([size]) => size === 0)) return;
  const bytes = NUMBER_BYTES[to.dtype as NumberType];
  move(context, context.address(from), fromStart, context.address(to), toStart, fewest(axes), bytes);
}

function move(
  context: KernelContext,
  from: number,
  fromStart: number,
  to: number,
  toStart: number,
  axes: readonly Axis[],
  bytes: number,
): void {
  const { commands, kernel } = context;
  const count = axes.reduce((product, [size]) => product * size, 1);
  const dense = axes.length === 0 || (axes.length === 1 && axes[0][1] === 1 && axes[0][2] === 1);
  if (dense) {
    commands.copy(to + toStart * bytes, from + fromStart * bytes, count * bytes);
    return;
  }
  const far = axes.some(([, ...strides]) => strides.some((stride) => Math.abs(stride) > MOST_ELEMENTS));
  if (axes.length > MAX_RANK || count > MOST_ELEMENTS || far) {
    const [[size, fromStep, toStep], ...inner] = axes;
    for (let i = 0; i < size; i++) {
      move(context, from, fromStart + i * fromStep, to, toStart + i * toStep, inner, bytes);
    }
    return;
  }
  const [lastSize, lastFrom, lastTo] = axes[axes.length - 1];
  const outer = axes.slice(0, -1);
  const perWord = WIDE / bytes;
  const places = [lastSize, fromStart, toStart, ...outer.flatMap(([, ...strides]) => strides)];
  const wide =
    [lastFrom, lastTo].every((step) => step === 1) &&
    places.every((place) => place % perWord === 0) &&
    [from, to].every((address) => address % WIDE === 0);
  const unit = wide ? perWord : 1;
  const words: readonly Axis[] = wide
    ? [...outer.map(([size, ...steps]): Axis => [size, steps[0] / unit, steps[1] / unit]), [lastSize / unit, 1, 1]]
    : axes;
  const column = (place: 0 | 1 | 2): number[] => [
    ...Array<number>(MAX_RANK - words.length).fill(0),
    ...words.map((axis) => axis[place]),
  ];
  const name = wide ? 'moveWords16' : bytes === 4 ? 'moveWords4' : 'moveBytes';
  commands.launch(kernel(name), gridOf(context, count / unit), [
    { address: from },
    { address: to },
    { ints: [words.length, ...column(0), ...column(1), ...column(2)] },
    { long: fromStart / unit },
    { long: toStart / unit },
    { int: count / unit },
  ]);
}

/** Fills a tensor with a number. */
export function fill(context: KernelContext, tensor: tf.TensorInfo, value: number): void {
  const { address, commands, kernel } = context;
  const bytes = byteSize(tensor);
  if (bytes === 0) return;
  const bits = bitsOf(value, tensor.dtype as NumberType);
  if (bits === 0 || tensor.dtype === 'bool') {
    commands.fill(address(tensor), bytes, bits);
    return;
  }
  const count = bytes / 4;
  const args = [{ address: address(tensor) }, { int: bits }, { long: count }];
  commands.launch(kernel('fillWords'), gridOf(context, count), args);
}

/** A number as it is stored, as an int32; of a bool, its byte. */
function bitsOf(value: number, dtype: NumberType): number {
  if (dtype === 'float32') return floatBits(value);
  return dtype === 'int32' ? Int32Array.of(value)[0] : Number(value !== 0);
}

/** A tensor with its axes in another order. */
export function transpose(context: KernelContext, x: tf.TensorInfo, perm: readonly number[]): tf.TensorInfo {
  const { address, commands, kernel, output } = context;
  const shape = perm.map((axis) => x.shape[axis]);
  const result = output(shape, x.dtype as NumberType);
  const swap = NUMBER_BYTES[x.dtype as NumberType] === 4 ? axisSwap(x.shape, perm) : undefined;
  if (swap !== undefined && swap[3] === 1 && swap[1] >= 8 && swap[2] >= 8 && swap[1] <= 32 * MOST_BLOCKS) {
    const [batch, rows, columns] = swap;
    if (sizeOf(shape) === 0) return result;
    const grid = [Math.ceil(columns / 32), Math.ceil(rows / 32), Math.min(batch, MOST_BLOCKS)] as const;
    const sizes = [batch, rows, columns].map((int) => ({ int }));
    const addresses = [x, result].map((tensor) => ({ address: address(tensor) }));
    commands.launch(kernel('transposeWords4'), { grid, threads: 256 }, [...addresses, ...sizes]);
    return result;
  }
  const [from, to] = [x.shape, shape].map(stridesOf);
  const axes = perm.map((axis, i): Axis => [shape[i], from[axis], to[i]]);
  moveBox(context, x, 0, result, 0, axes);
  return result;
}

type Moved =
  | ('Slice' | 'StridedSlice' | 'Reverse' | 'Tile' | 'PadV2' | 'SplitV' | 'Unpack' | 'Concat' | 'Pack')
  | ('GatherV2' | 'Transpose' | 'Fill' | 'OneHot');

/** TensorFlow.js's own kernels that only move numbers; strings go to the cpu kernels. */
export function movementKernels(
  context: KernelContext,
): StockKernels<Moved> & Record<'ZerosLike' | 'OnesLike', PlainKernel> {
  const { address, backend, commands, kernel, output, sameNumbers, stock, stockPlain } = context;

  /** The dtype of tensors that are moved here; undefined for those of the cpu kernels. */
  const dtypeHere = (...tensors: readonly tf.TensorInfo[]): NumberType | undefined => {
    const { dtype } = tensors[0];
    const here = isNumbers(dtype) && tensors.every((tensor) => tensor.dtype === dtype);
    return here && !staysOnHost(context, ...tensors) ? dtype : undefined;
  };

  function slice(x: tf.TensorInfo, begin: readonly number[], size: number[], dtype: NumberType): tf.TensorInfo {
    if (size.join() === x.shape.join()) return sameNumbers(x, size);
    const result = output(size, dtype);
    const [from, to] = [x.shape, size].map(stridesOf);
    const start = begin.reduce((sum, place, axis) => sum + place * from[axis], 0);
    const axes = size.map((extent, axis): Axis => [extent, from[axis], to[axis]]);
    moveBox(context, x, start, result, 0, axes);
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
    const stride = sizeOf(result.shape.slice(axis));
    let place = 0;
    for (const [i, part] of parts.entries()) {
      const width = sizeOf(shapes[i].slice(axis));
      moveBox(context, part, 0, result, place, [
        [rows, width, stride],
        [width, 1, 1],
      ]);
      place += width;
    }
    return result;
  }

  /** A tensor of one number everywhere, which is known to be. */
  const filled = (shape: number[], dtype: NumberType, value: number): tf.TensorInfo => {
    const result = output(shape, dtype);
    fill(context, result, value);
    context.backend.data.get(result.dataId).uniform = value;
    return result;
  };
  /** A tensor like x with one number everywhere. */
  const filledLike =
    (name: string, value: number): PlainKernel =>
    ({ x }) => {
      if (!isNumbers(x.dtype) || staysOnHost(context, x)) return stockPlain(name, { x });
      return filled(x.shape, x.dtype, value);
    };

  return {
    Slice: ({ x }, { begin, size }) => {
      const dtype = dtypeHere(x);
      if (dtype === undefined) return stock('Slice', { x }, { begin, size });
      const [from, extent] = tf.slice_util.parseSliceParams(x, begin, size);
      tf.slice_util.assertParamsValid(x, from, extent);
      return slice(x, from, extent, dtype);
    },
    StridedSlice: ({ x }, attributes) => {
      const dtype = dtypeHere(x);
      if (dtype === undefined) return stock('StridedSlice', { x }, attributes);
      const { beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask } = attributes;
      const masks = [beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask] as const;
      const { begin, end, strides } = attributes;
      const info = tf.slice_util.sliceInfo(x.shape, begin, end, strides, ...masks);
      if (info.isIdentity) return sameNumbers(x, info.finalShape);
      const sizes = tf.slice_util.computeOutShape(info.begin, info.end, info.strides);
      const result = output(info.finalShape, dtype);
      const [from, to] = [x.shape, sizes].map(stridesOf);
      const start = info.begin.reduce((sum, place, axis) => sum + place * from[axis], 0);
      const axes = sizes.map((size, axis): Axis => [size, from[axis] * info.strides[axis], to[axis]]);
      moveBox(context, x, start, result, 0, axes);
      return result;
    },
    Reverse: ({ x }, { dims }) => {
      const dtype = dtypeHere(x);
      if (dtype === undefined) return stock('Reverse', { x }, { dims });
      const turned = tf.util.parseAxisParam(dims, x.shape);
      const result = output(x.shape, dtype);
      const strides = stridesOf(x.shape);
      const start = turned.reduce((sum, axis) => sum + (x.shape[axis] - 1) * strides[axis], 0);
      const axes = x.shape.map((size, axis): Axis => {
        return [size, turned.includes(axis) ? -strides[axis] : strides[axis], strides[axis]];
      });
      moveBox(context, x, start, result, 0, axes);
      return result;
    },
    Tile: ({ x }, { reps }) => {
      const dtype = dtypeHere(x);
      if (dtype === undefined || x.shape.length === 0) return stock('Tile', { x }, { reps });
      const shape = x.shape.map((size, axis) => size * reps[axis]);
      const result = output(shape, dtype);
      const [from, to] = [x.shape, shape].map(stridesOf);
      const axes = x.shape.flatMap((size, axis): Axis[] => [
        [reps[axis], 0, size * to[axis]],
        [size, from[axis], to[axis]],
      ]);
      moveBox(context, x, 0, result, 0, axes);
      return result;
    },
    PadV2: ({ x }, { paddings, constantValue }) => {
      const dtype = dtypeHere(x);
      if (dtype === undefined) return stock('PadV2', { x }, { paddings, constantValue });
      const shape = x.shape.map((size, axis) => paddings[axis][0] + size + paddings[axis][1]);
      if (shape.join() === x.shape.join()) return sameNumbers(x, shape);
      const result = output(shape, dtype);
      fill(context, result, constantValue);
      const [from, to] = [x.shape, shape].map(stridesOf);
      const start = paddings.reduce((sum, [before], axis) => sum + before * to[axis], 0);
      const axes = x.shape.map((size, axis): Axis => [size, from[axis], to[axis]]);
      moveBox(context, x, 0, result, start, axes);
      return result;
    },
    SplitV: ({ x }, { numOrSizeSplits, axis }) => {
      const dtype = dtypeHere(x);
      if (dtype === undefined) return stock('SplitV', { x }, { numOrSizeSplits, axis });
      const [along] = tf.util.parseAxisParam(axis, x.shape);
      return split(x, tf.backend_util.prepareSplitSize(x, numOrSizeSplits, along), along, dtype);
    },
    Unpack: ({ value }, { axis }) => {
      const dtype = dtypeHere(value);
      if (dtype === undefined) return stock('Unpack', { value }, { axis });
      const [along] = tf.util.parseAxisParam(axis, value.shape);
      const shape = value.shape.filter((_, i) => i !== along);
      const parts = split(value, Array(value.shape[along]).fill(1), along, dtype);
      return parts.map((part) => ({ ...part, shape }));
    },
    Concat: (inputs, { axis }) => {
      const parts = Object.values(inputs);
      const dtype = dtypeHere(...parts);
      if (dtype === undefined) return stock('Concat', inputs, { axis });
      const shapes = parts.map(({ shape }) => shape);
      const [along] = tf.util.parseAxisParam(axis, shapes[0]);
      tf.backend_util.assertParamsConsistent(shapes, along);
      return join(parts, shapes, along, dtype);
    },
    Pack: (inputs, { axis }) => {
      const parts = Object.values(inputs);
      const dtype = dtypeHere(...parts);
      const { shape } = parts[0];
      const along = axis < 0 ? axis + shape.length + 1 : axis;
      const alike = parts.every((part) => part.shape.join() === shape.join());
      if (dtype === undefined || !alike) return stock('Pack', inputs, { axis });
      const widened = [...shape.slice(0, along), 1, ...shape.slice(along)];
      return join(parts, Array(parts.length).fill(widened), along, dtype);
    },
    GatherV2: ({ x, indices }, attributes) => {
      const { axis, batchDims = 0 } = attributes;
      const [along] = tf.util.parseAxisParam(axis, x.shape);
      const shapes = tf.backend_util.segment_util.collectGatherOpShapeInfo(x, indices, along, batchDims);
      const { batchSize, outerSize, dimSize, sliceSize, outputShape } = shapes;
      const total = sizeOf(outputShape);
      const here = isNumbers(x.dtype) && indices.dtype === 'int32' && total <= MOST_ELEMENTS;
      if (!here || staysOnHost(context, x, indices)) return stock('GatherV2', { x, indices }, attributes);
      if (backend.isOnHost(indices)) {
        const wrong = backend.numbers(indices).find((index) => index < 0 || index >= dimSize);
        if (wrong !== undefined) {
          throw new Error(`GatherV2: expected indices in [0, ${dimSize}), got ${wrong}`);
        }
      }
      const result = output(outputShape, x.dtype as NumberType);
      if (total === 0) return result;
      const bytes = NUMBER_BYTES[x.dtype as NumberType];
      const addresses = [x, indices, result].map((tensor) => address(tensor));
      const wide = (sliceSize * bytes) % WIDE === 0 && addresses[0] % WIDE === 0 && addresses[2] % WIDE === 0;
      const unit = wide ? WIDE / bytes : 1;
      const count = sizeOf(indices.shape) / Math.max(1, batchSize);
      const name = wide ? 'gatherWords16' : bytes === 4 ? 'gatherWords4' : 'gatherBytes';
      commands.launch(kernel(name), gridOf(context, total / unit), [
        ...addresses.map((place) => ({ address: place })),
        ...[Math.max(1, outerSize), count, dimSize, sliceSize / unit, total / unit].map((int) => ({ int })),
      ]);
      return result;
    },
    Transpose: ({ x }, { perm }) => {
      // The gradient of a gather asks for the order they are in already.
      if (perm.every((axis, i) => axis === i)) return sameNumbers(x, x.shape);
      if (dtypeHere(x) === undefined) return stock('Transpose', { x }, { perm });
      return transpose(context, x, perm);
    },
    OneHot: ({ indices }, attributes) => {
      const { dtype, depth, onValue, offValue } = attributes;
      const count = sizeOf(indices.shape);
      const here = (dtype === 'float32' || dtype === 'int32') && indices.dtype === 'int32';
      // Small indices are often on the host alone; the result may be large all the same.
      if (!here || (count * depth <= 4096 && staysOnHost(context, indices))) {
        return stock('OneHot', { indices }, attributes);
      }
      const result = output([...indices.shape, depth], dtype);
      if (count * depth === 0) return result;
      commands.launch(kernel('oneHotWords'), gridOf(context, count * depth), [
        { address: address(indices) },
        { address: address(result) },
        { int: depth },
        { int: bitsOf(onValue, dtype) },
        { int: bitsOf(offValue, dtype) },
        { long: count },
      ]);
      return result;
    },
    ZerosLike: filledLike('ZerosLike', 0),
    OnesLike: filledLike('OnesLike', 1),
    Fill: (inputs, attributes) => {
      const { shape, value, dtype = 'float32' } = attributes;
      const here = typeof value === 'number' && isNumbers(dtype);
      if (!here || sizeOf(shape) <= 4096) return stock('Fill', inputs, attributes);
      return filled(shape, dtype, value);
    },
  };
}
