import type { Arithmetic } from './arithmetic.js';
import type { KernelContext } from './context.js';
import { floatBits } from './numbers.js';

/** The threads of all kernels that go row by row. */
const THREADS = 256;
/** The most columns, in vectors of four that each of 32 or 256 threads holds eight of. */
const WARP_COLUMNS = 32 * 8 * 4;
const BLOCK_COLUMNS = 256 * 8 * 4;

/** Blocks of a kernel that goes through all numbers in steps of the grid. */
export function gridFor(context: Pick<KernelContext, 'facts'>, items: number): number {
  return Math.max(1, Math.min(Math.ceil(items / THREADS), context.facts.multiprocessors * 16));
}

/** How a row of that many columns is shared among threads. */
function sharing(rows: number, columns: number): { readonly name: 'warp' | 'block' | 'any'; readonly blocks: number } {
  if (columns % 4 === 0 && columns <= WARP_COLUMNS) return { name: 'warp', blocks: Math.ceil(rows / 8) };
  if (columns % 4 === 0 && columns <= BLOCK_COLUMNS) return { name: 'block', blocks: rows };
  return { name: 'any', blocks: rows };
}

export interface LayerNorm {
  readonly rows: number;
  readonly width: number;
}

/** normalized = LN(x) in the arithmetic's type, and the inverse deviation; x also goes to `copy` where that is given. */
export function encodeLayerNorm(
  context: KernelContext,
  { suffix }: Arithmetic,
  { rows, width }: LayerNorm,
  epsilon: number,
  places: {
    readonly x: number;
    readonly normalized: number;
    readonly inverseDeviation: number;
    readonly copy?: number;
  },
): void {
  if (rows === 0) return;
  const { name, blocks } = sharing(rows, width);
  context.commands.launch(context.kernel(`layer_normalize_${suffix}_${name}`), { grid: [blocks], threads: THREADS }, [
    ...[places.x, places.normalized, places.inverseDeviation, places.copy ?? 0].map((address) => ({ address })),
    ...[{ int: rows }, { int: width }, { float: epsilon }],
  ]);
}

/** Adds to `stream`, or writes there, the gradient of LN(x) from dY, in the arithmetic's type; a copy in that type goes to `rounded`. */
export function encodeLayerNormGradient(
  context: KernelContext,
  { suffix }: Arithmetic,
  { rows, width }: LayerNorm,
  places: {
    readonly dY: number;
    readonly y: number;
    readonly inverseDeviation: number;
    readonly stream: number;
    readonly rounded?: number;
  },
  add: boolean,
): void {
  if (rows === 0) return;
  const { name, blocks } = sharing(rows, width);
  context.commands.launch(
    context.kernel(`layer_normalize_gradient_${suffix}_${name}`),
    { grid: [blocks], threads: THREADS },
    [
      ...[places.dY, places.y, places.inverseDeviation, places.stream, places.rounded ?? 0].map((address) => ({
        address,
      })),
      ...[{ int: rows }, { int: width }, { int: add ? 1 : 0 }],
    ],
  );
}

/** Groups of parameter tokens side by side in rows of scores. */
export interface ScoreGroup {
  readonly start: number;
  readonly length: number;
  readonly tau: number;
}

export interface Theta {
  /** As source/theta.cu numbers them. */
  readonly mode: number;
  readonly isTanh: boolean;
  readonly epsilon: number;
}

/** Groups of one launch. */
const MAX_GROUPS = 16;
const L2_NORM_GELU = 0;
const GELU = 3;

function groupArgument(groups: readonly ScoreGroup[]): { ints: Int32Array } {
  const ints = new Int32Array(3 * MAX_GROUPS);
  for (const [i, { start, length, tau }] of groups.entries()) {
    ints[i] = start;
    ints[MAX_GROUPS + i] = length;
    ints[2 * MAX_GROUPS + i] = floatBits(tau);
  }
  return { ints };
}

/** How a row of scores is shared among threads: 32 or 256 of them, with as few vectors of four for each as will do. */
const THETA_SHARING = [
  { name: 'half', columns: 32 * 4 * 4, rows: 8 },
  { name: 'warp', columns: 32 * 8 * 4, rows: 8 },
  { name: 'pair', columns: 256 * 2 * 4, rows: 1 },
  { name: 'block', columns: 256 * 4 * 4, rows: 1 },
];

function thetaSharing(rows: number, columns: number): { readonly name: string; readonly blocks: number } {
  const sharing = THETA_SHARING.find((each) => columns % 4 === 0 && columns <= each.columns);
  return sharing ? { name: sharing.name, blocks: Math.ceil(rows / sharing.rows) } : { name: 'any', blocks: rows };
}

/** The parts of the rows that one launch takes: groups whose rows are shared among threads alike. */
function* launches(groups: readonly ScoreGroup[], stride: number, rows: number, { mode }: Theta) {
  const isFast = mode === L2_NORM_GELU || mode === GELU;
  const kinds = new Map<string, { blocks: number; groups: ScoreGroup[] }>();
  for (const group of groups) {
    const isAligned = isFast && group.start % 4 === 0 && stride % 4 === 0;
    const { name, blocks } = isAligned ? thetaSharing(rows, group.length) : { name: 'any', blocks: rows };
    const kind = kinds.get(name) ?? { blocks, groups: [] };
    kind.groups.push(group);
    kinds.set(name, kind);
  }
  for (const [name, { blocks, groups: alike }] of kinds) {
    for (let first = 0; first < alike.length; first += MAX_GROUPS) {
      const some = alike.slice(first, first + MAX_GROUPS);
      yield { name, grid: [blocks, some.length] as const, groups: groupArgument(some) };
    }
  }
}

/** A matrix of scores: `rows` rows of `stride` numbers. */
export interface ScoreRows {
  readonly rows: number;
  readonly stride: number;
  readonly groups: readonly ScoreGroup[];
}

/** weights = Θ(scores), both in the arithmetic's type. */
export function encodeTheta(
  context: KernelContext,
  { suffix }: Arithmetic,
  { rows, stride, groups }: ScoreRows,
  theta: Theta,
  places: { readonly scores: number; readonly weights: number },
): void {
  if (rows === 0) return;
  for (const launch of launches(groups, stride, rows, theta)) {
    context.commands.launch(
      context.kernel(`theta_forward_${suffix}_${launch.name}`),
      { grid: launch.grid, threads: THREADS },
      [
        ...[{ address: places.scores }, { address: places.weights }, { int: rows }, { long: stride }, launch.groups],
        ...[{ int: theta.mode }, { int: theta.isTanh ? 1 : 0 }, { float: theta.epsilon }],
      ],
    );
  }
}

/** `gradient`, dΘ(S) on the way in, becomes dS; weights = Θ(S) where they are wanted. */
export function encodeThetaGradient(
  context: KernelContext,
  { suffix }: Arithmetic,
  { rows, stride, groups }: ScoreRows,
  theta: Theta,
  places: { readonly scores: number; readonly gradient: number; readonly weights: number | undefined },
): void {
  if (rows === 0) return;
  for (const launch of launches(groups, stride, rows, theta)) {
    context.commands.launch(
      context.kernel(`theta_backward_${suffix}_${launch.name}`),
      { grid: launch.grid, threads: THREADS },
      [
        ...[{ address: places.scores }, { address: places.gradient }, { address: places.weights ?? 0 }],
        ...[{ int: rows }, { long: stride }, launch.groups],
        ...[{ int: theta.mode }, { int: theta.isTanh ? 1 : 0 }, { float: theta.epsilon }],
      ],
    );
  }
}

/** Runs of numbers with a stride; row = width where they lie one behind the other. */
export interface Runs {
  readonly address: number;
  readonly stride: number;
}

/** float32 rows in the arithmetic's type to `to`, and as they are to `copy`; either may be left out. */
export function encodeConversion(
  context: KernelContext,
  { type }: Arithmetic,
  [rows, width]: readonly [number, number],
  from: Runs,
  { to, copy }: { readonly to?: Runs; readonly copy?: Runs },
): void {
  const launch = (rounded: Runs | undefined, same: Runs | undefined): void => {
    if (rows * width === 0 || (rounded === undefined && same === undefined)) return;
    context.commands.launch(
      context.kernel('convert_rows'),
      { grid: [gridFor(context, (rows * width) / 4)], threads: THREADS },
      [
        ...[from, rounded, same].flatMap((runs) => [{ address: runs?.address ?? 0 }, { long: runs?.stride ?? 0 }]),
        ...[{ long: rows }, { long: width }],
      ],
    );
  };
  if (type === 'bf16') {
    launch(to, copy);
    return;
  }
  launch(undefined, to);
  launch(undefined, copy);
}

/** Rows in the arithmetic's type to float32. */
export function encodeWidening(
  context: KernelContext,
  arithmetic: Arithmetic,
  [rows, width]: readonly [number, number],
  from: Runs,
  to: Runs,
): void {
  if (rows * width === 0) return;
  if (arithmetic.type === 'float32') {
    encodeConversion(context, arithmetic, [rows, width], from, { to });
    return;
  }
  context.commands.launch(context.kernel('widen_rows'), { grid: [gridFor(context, rows * width)], threads: THREADS }, [
    ...[{ address: from.address }, { long: from.stride }, { address: to.address }, { long: to.stride }],
    ...[{ long: rows }, { long: width }],
  ]);
}

/** Rows of batches, in numbers of the arithmetic's type. */
export interface BatchRows {
  readonly address: number;
  readonly rowStride: number;
  readonly batchStride: number;
}

/** Copies `perBatch` rows of `width` numbers of each of `batch` batches. */
export function encodeRowCopy(
  context: KernelContext,
  { bytes }: Arithmetic,
  [batch, perBatch, width]: readonly [number, number, number],
  from: BatchRows,
  to: BatchRows,
): void {
  if (batch * perBatch * width === 0) return;
  const lengths = [from.rowStride, from.batchStride, to.rowStride, to.batchStride, width].map((count) => count * bytes);
  const isWide = [from.address, to.address, ...lengths].every((place) => place % 16 === 0);
  const piece = isWide ? 16 : 2;
  const [fromRow, fromBatch, toRow, toBatch, units] = lengths.map((length) => ({ long: length / piece }));
  context.commands.launch(
    context.kernel(`copy_runs_${piece}`),
    { grid: [gridFor(context, (batch * perBatch * width * bytes) / piece)], threads: THREADS },
    [
      ...[{ address: from.address }, fromRow, fromBatch, { address: to.address }, toRow, toBatch],
      ...[{ long: batch * perBatch }, { long: perBatch }, units],
    ],
  );
}

/** A float32 matrix, and the place of its copy in numbers from `to` on. */
export interface PackedMatrix {
  readonly from: number;
  readonly first: number;
  readonly count: number;
}

const MAX_MATRICES = 64;

/** Copies float32 matrices into one buffer of the arithmetic's type. */
export function encodePacking(
  context: KernelContext,
  arithmetic: Arithmetic,
  matrices: readonly PackedMatrix[],
  to: number,
): void {
  const isVector = ({ from, first, count }: PackedMatrix): boolean =>
    from % 16 === 0 && first % 4 === 0 && count % 4 === 0;
  for (const { from, first, count } of matrices.filter((matrix) => !isVector(matrix))) {
    encodeConversion(
      context,
      arithmetic,
      [1, count],
      { address: from, stride: count },
      { to: { address: to + first * arithmetic.bytes, stride: count } },
    );
  }
  const vectors = matrices.filter(isVector);
  for (let start = 0; start < vectors.length; start += MAX_MATRICES) {
    const some = vectors.slice(start, start + MAX_MATRICES);
    const addresses = Array.from({ length: MAX_MATRICES }, (_, i) => some[i]?.from ?? 0);
    const sizes = new Int32Array(2 * MAX_MATRICES);
    for (const [i, { first, count }] of some.entries()) {
      sizes[i] = first / 4;
      sizes[MAX_MATRICES + i] = count / 4;
    }
    const largest = Math.max(...some.map(({ count }) => count / 4));
    context.commands.launch(
      context.kernel(`pack_matrices_${arithmetic.suffix}`),
      { grid: [Math.max(1, Math.ceil(largest / THREADS)), some.length], threads: THREADS },
      [{ addresses }, { ints: sizes }, { address: to }],
    );
  }
}
