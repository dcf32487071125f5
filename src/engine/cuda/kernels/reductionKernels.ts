import type { KernelResult, StockKernels } from '../../shared/index.js';
import { tf } from '../../shared/index.js';
import { allFloat, gridOf, type KernelContext, sizeOf, staysOnHost } from './context.js';
import { fill, transpose } from './movementKernels.js';
import type { NumberType } from './numbers.js';

/** As source/opsReduction.cu numbers them. */
const FOLDS = { sum: 0, product: 1, largest: 2, least: 3 } as const;
type Fold = keyof typeof FOLDS;

const KERNEL_TYPES: Readonly<Record<NumberType, string>> = { float32: 'Float', int32: 'Int', bool: 'Bool' };

const THREADS = 256;
const WARP = 32;
/** Pieces of work that keep a card busy; fixed, so that no sum depends on the card. */
const ENOUGH_ITEMS = 512;
/** Numbers of a row, and rows of a column, that a piece has at least. */
const LEAST_IN_PIECE = { row: 4096, column: 64 };
/** Rows that are sorted by segment at once: comparing each with each takes their square. */
const SORTED_ROWS = 2 ** 15;
/** Sorted rows of a window, as in the source. */
const WINDOW = 32;

/** Into how many pieces to cut `length` numbers of each of `items` folds. */
function piecesOf(items: number, length: number, least: number): number {
  if (items >= ENOUGH_ITEMS) return 1;
  return Math.max(1, Math.min(Math.ceil(ENOUGH_ITEMS / items), Math.floor(length / least)));
}

type Reduction = 'Sum' | 'Mean' | 'Max' | 'Min' | 'Prod' | 'Any' | 'All';

/** Numbers put together along axes. */
export function reductionKernels(context: KernelContext): StockKernels<Reduction> {
  const { address, backend, commands, kernel, output, stock } = context;

  /** One launch: x [outer, rows, inner] → [outer, pieces, inner]. */
  function foldOnce(
    fold: Fold,
    x: tf.TensorInfo,
    [outer, rows, inner]: readonly number[],
    pieces: number,
    scale: number,
  ): tf.TensorInfo {
    const dtype = x.dtype as NumberType;
    const y = output([outer, pieces, inner], dtype);
    const type = fold === 'sum' && dtype === 'float32' ? 'SumFloat' : KERNEL_TYPES[dtype];
    const start = [{ int: FOLDS[fold] }, { address: address(x) }, { address: address(y) }];
    if (inner === 1) {
      const lanes = rows / pieces <= 1024 ? WARP : THREADS;
      commands.launch(kernel(`foldRows${type}`), gridOf(context, outer * pieces, THREADS / lanes), [
        ...start,
        { long: outer },
        { long: rows },
        { int: pieces },
        { int: lanes },
        { float: scale },
      ]);
    } else {
      commands.launch(kernel(`foldColumns${type}`), gridOf(context, outer * pieces * Math.ceil(inner / WARP), 1), [
        ...start,
        { long: outer },
        { long: rows },
        { long: inner },
        { int: pieces },
        { float: scale },
      ]);
    }
    return y;
  }

  /** x [outer, rows, inner] → [outer, inner]; what is between is disposed. */
  function foldMiddle(fold: Fold, x: tf.TensorInfo, sizes: readonly number[], scale: number): tf.TensorInfo {
    const [outer, rows, inner] = sizes;
    const least = inner === 1 ? LEAST_IN_PIECE.row : LEAST_IN_PIECE.column;
    const pieces = piecesOf(outer * Math.ceil(inner / WARP), rows, least);
    if (pieces === 1) return foldOnce(fold, x, sizes, 1, scale);
    const parts = foldOnce(fold, x, sizes, pieces, 1);
    const result = foldOnce(fold, parts, [outer, pieces, inner], 1, scale);
    backend.disposeData(parts.dataId);
    return result;
  }

  /** Folds along some axes, the last first, and multiplies by `factor`. */
  function foldAxes(
    fold: Fold,
    x: tf.TensorInfo,
    axes: readonly number[],
    keepDims: boolean,
    factor = 1,
  ): tf.TensorInfo {
    let sizes = [...x.shape];
    let from = x;
    let rest = [...axes].sort((a, b) => a - b);
    while (rest.length > 0) {
      const last = rest[rest.length - 1];
      let first = last;
      while (rest.includes(first - 1)) first--;
      rest = rest.filter((axis) => axis < first);
      const parts = [sizes.slice(0, first), sizes.slice(first, last + 1), sizes.slice(last + 1)].map(sizeOf);
      sizes = sizes.map((size, axis) => (axis >= first && axis <= last ? 1 : size));
      const to = foldMiddle(fold, from, parts, rest.length === 0 ? factor : 1);
      if (from !== x) backend.disposeData(from.dataId);
      from = to;
    }
    const shape = keepDims ? sizes : sizes.filter((_, axis) => !axes.includes(axis));
    return { ...from, shape };
  }

  const reduce = (
    fold: Fold,
    dtypes: readonly string[],
    x: tf.TensorInfo,
    axis: number | number[],
    keepDims: boolean,
    fallback: () => KernelResult,
    isMean = false,
  ): KernelResult => {
    const axes = tf.util.parseAxisParam(axis, x.shape);
    const empty = axes.length === 0 || sizeOf(x.shape) === 0;
    const exact = fold === 'largest' || fold === 'least' || x.dtype !== 'float32';
    if (empty || !dtypes.includes(x.dtype) || (exact && staysOnHost(context, x))) return fallback();
    const factor = isMean ? 1 / sizeOf(axes.map((each) => x.shape[each])) : 1;
    return foldAxes(fold, x, axes, keepDims === true, factor);
  };

  const numbers = ['float32', 'int32'];
  return {
    Sum: ({ x }, attributes) =>
      reduce('sum', numbers, x, attributes.axis, attributes.keepDims, () => stock('Sum', { x }, attributes)),
    Mean: ({ x }, attributes) => {
      const fallback = (): KernelResult => stock('Mean', { x }, attributes);
      return reduce('sum', ['float32'], x, attributes.axis, attributes.keepDims, fallback, true);
    },
    Max: ({ x }, attributes) => {
      const { reductionIndices, keepDims } = attributes;
      return reduce('largest', numbers, x, reductionIndices, keepDims, () => stock('Max', { x }, attributes));
    },
    Min: ({ x }, attributes) =>
      reduce('least', numbers, x, attributes.axis, attributes.keepDims, () => stock('Min', { x }, attributes)),
    Prod: ({ x }, attributes) =>
      reduce('product', numbers, x, attributes.axis, attributes.keepDims, () => stock('Prod', { x }, attributes)),
    Any: ({ x }, attributes) =>
      reduce('largest', ['bool'], x, attributes.axis, attributes.keepDims, () => stock('Any', { x }, attributes)),
    All: ({ x }, attributes) =>
      reduce('least', ['bool'], x, attributes.axis, attributes.keepDims, () => stock('All', { x }, attributes)),
  };
}

/** Kernels that go row by row. */
export function stockRowKernels(context: KernelContext): StockKernels<'ArgMax' | 'ArgMin' | 'Softmax'> {
  const { address, backend, commands, kernel, output, stock } = context;

  /** The place of the first extreme along an axis; undefined where the cpu kernel is to find it. */
  function extreme(x: tf.TensorInfo, axis: number, least: boolean): tf.TensorInfo | undefined {
    const [along] = tf.util.parseAxisParam(axis, x.shape);
    const width = x.shape[along];
    if (!allFloat(x) || sizeOf(x.shape) === 0 || staysOnHost(context, x)) return undefined;
    const others = x.shape.map((_, i) => i).filter((i) => i !== along);
    const last = along === x.shape.length - 1;
    const from = last ? x : transpose(context, x, [...others, along]);
    const result = output(
      others.map((i) => x.shape[i]),
      'int32',
    );
    const rows = sizeOf(result.shape);
    commands.launch(kernel('extremePlaces'), gridOf(context, rows, 1), [
      { address: address(from) },
      { address: address(result) },
      { long: rows },
      { int: width },
      { int: least ? 1 : 0 },
    ]);
    if (!last) backend.disposeData(from.dataId);
    return result;
  }

  return {
    ArgMax: ({ x }, { axis }) => extreme(x, axis, false) ?? stock('ArgMax', { x }, { axis }),
    ArgMin: ({ x }, { axis }) => extreme(x, axis, true) ?? stock('ArgMin', { x }, { axis }),
    Softmax: ({ logits }, { dim }) => {
      const last = logits.shape.length - 1;
      const here = allFloat(logits) && (dim === -1 || dim === last);
      if (!here) return stock('Softmax', { logits }, { dim });
      const result = output(logits.shape);
      const width = logits.shape[last] ?? 1;
      const count = sizeOf(logits.shape);
      if (count === 0) return result;
      const lanes = width <= 1024 ? WARP : THREADS;
      commands.launch(kernel('softmaxOfRows'), gridOf(context, count / width, THREADS / lanes), [
        { address: address(logits) },
        { address: address(result) },
        { long: count / width },
        { int: width },
        { int: lanes },
      ]);
      return result;
    },
  };
}

/**
 * y [segments, inner…] = sums of the rows of x [ids…, inner…] with each id. The rows are sorted by their ids first and summed in that
 * order, so the same numbers give the same bits.
 */
export function segmentSumKernel(context: KernelContext): StockKernels<'UnsortedSegmentSum'> {
  const { address, commands, kernel, output, scratch, stock } = context;
  return {
    UnsortedSegmentSum: ({ x, segmentIds }, attributes) => {
      const { numSegments } = attributes;
      const inner = x.shape.slice(segmentIds.shape.length);
      const here = allFloat(x) && segmentIds.dtype === 'int32';
      if (!here) return stock('UnsortedSegmentSum', { x, segmentIds }, attributes);
      const result = output([numSegments, ...inner]);
      fill(context, result, 0);
      const [count, width] = [sizeOf(segmentIds.shape), sizeOf(inner)];
      if (count === 0 || width === 0 || numSegments === 0) return result;
      const most = Math.min(count, SORTED_ROWS);
      const order = scratch(most * 4);
      const open = scratch(Math.ceil(most / WINDOW) * 2 * width * 4);
      const [from, ids, to] = [x, segmentIds, result].map((tensor) => address(tensor));
      for (let start = 0; start < count; start += SORTED_ROWS) {
        const rows = Math.min(SORTED_ROWS, count - start);
        const [theirIds, theirRows] = [ids + start * 4, from + start * width * 4];
        const places = [theirIds, order, to, open].map((place) => ({ address: place }));
        const sizes = [rows, numSegments, width].map((int) => ({ int }));
        const grid = [Math.ceil(rows / WINDOW), Math.ceil(width / THREADS)] as const;
        commands.launch(kernel('segmentOrder'), { grid: [Math.ceil(rows / WARP)], threads: THREADS }, [
          ...places.slice(0, 2),
          sizes[0],
        ]);
        const rowsAndPlaces = [{ address: theirRows }, ...places];
        commands.launch(kernel('segmentWindows'), { grid, threads: THREADS }, [...rowsAndPlaces, ...sizes]);
        commands.launch(kernel('segmentOpenSums'), { grid, threads: THREADS }, [...places, ...sizes]);
      }
      return result;
    },
  };
}
