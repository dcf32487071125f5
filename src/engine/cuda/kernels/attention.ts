import type { Commands, ComputeType, KernelArgument, NumberType } from './commands.js';
import { floatBits } from './numbers.js';

/**
 * @file Softmax attention on the card, as src/kernels/tokenAttention defines it: which kernels of source/attention*.cu and
 * source/rotary.cu run, with how many threads, on what. Scores are never stored; all sums are made in a fixed order.
 */

/** What is needed of a kernel context. */
export interface AttentionContext {
  readonly commands: Pick<Commands, 'launch'>;
  kernel(name: string): number;
  /** Device memory for this kernel run. */
  scratch(bytes: number): number;
  /** Bytes of dynamic shared memory that a block may have. */
  readonly facts: { readonly sharedMemory: number };
}

/** Tokens of heads side by side, [batch, tokens, numHeads · headDim]; strides count elements, so that it may be a part of wider rows. */
export interface TokenRows {
  readonly address: number;
  readonly rowStride: number;
  readonly batchStride: number;
}

export interface Attention {
  /** Of q, k, v, the output and their gradients. */
  readonly type: NumberType;
  /** Of float32: 'float32' or 'tf32' products. bf16 is multiplied as such. */
  readonly compute: ComputeType;
  readonly q: TokenRows;
  /** `keyLen` tokens: the context's, then the others. */
  readonly k: TokenRows;
  readonly v: TokenRows;
  readonly out: TokenRows;
  /** With a context: the part of the output that was read from it, with the strides of `out`. */
  readonly contextOut?: TokenRows;
  /** float32 [batch, numHeads, seqLen]: base-2 logarithm of every row's softmax sum, for the backward pass. */
  readonly lse: number;
  /** int32 [batch]: tokens of each sequence that count; outputs and gradients of the others are 0, and nobody sees them. 0 for all. */
  readonly lengths?: number;
  /** float32 [batch, keyLen], 1 = attend; `maskStride` 0 for one row that serves all. Not in bf16. */
  readonly keyMask?: number;
  readonly maskStride?: number;
  readonly batch: number;
  /** Queries. */
  readonly seqLen: number;
  readonly keyLen: number;
  readonly numHeads: number;
  readonly headDim: number;
  /** Query i stands at keyLen − seqLen + i; it sees keys up to there, and keys before prefixLen. */
  readonly prefixLen: number;
  readonly contextLen: number;
  /** 1/√headDim. */
  readonly scale: number;
}

export interface AttentionGradient extends Attention {
  readonly dOut: TokenRows;
  /** With a context; with the strides of `dOut`. */
  readonly dContextOut?: TokenRows;
  readonly dQ: TokenRows;
  readonly dK: TokenRows;
  readonly dV: TokenRows;
}

/** The widest head. */
export const MAX_HEAD_DIM = 512;
/** Heads in tiles are padded with zeros to one of these. */
const TILE_WIDTHS = [32, 64, 128];
const THREADS = 128;
/** Rows of which a warp each works in the kernels for any head. */
const ANY_ROWS = 4;

const NUMBER_BYTES: Readonly<Record<NumberType, number>> = { float32: 4, bf16: 2 };

/** Kernels of one storage type, arithmetic and width: how many rows blocks have, and bytes of shared memory. */
interface Tiles {
  /** What kernels' names end in. */
  readonly suffix: string;
  readonly forwardName: string;
  readonly forwardRows: number;
  readonly gradientRows: number;
  forwardBytes(withContext: boolean): number;
  queryBytes(withContext: boolean): number;
  readonly keyBytes: number;
}

/**
 * Which kernels serve heads of 64 in bf16, where there are several; bench/gpu/attention.ts compares them on a card.
 *
 * - forward: blocks of 128 queries, which read shared memory less often, where there are at least `wideBlocks` of them
 * - query and key gradients: how many scores a warp has in registers at once
 */
export const attentionChoice: { wideBlocks: number; query: 'short' | 'medium' | 'long'; key: 'medium' | 'long' } = {
  wideBlocks: 4 * 132,
  query: 'medium',
  key: 'medium',
};

/** As source/attention.cu and attentionFloat.cu lay out their shared memory; undefined where only the kernels for any head serve. */
function tilesOf({ type, compute, headDim, batch, numHeads, seqLen }: Attention): Tiles | undefined {
  const bytes = NUMBER_BYTES[type];
  const width = TILE_WIDTHS.find((each) => each >= headDim);
  if (width === undefined) return undefined;
  const row = width * bytes + 16;
  if (type === 'float32' && compute === 'float32') {
    const [forwardRows, gradientRows, tile] = [width > 64 ? 64 : 128, 64, 32];
    const weights = (rows: number): number => rows * (tile + 4) * 4;
    return {
      ...{ suffix: `float_${width}`, forwardName: 'attention', forwardRows, gradientRows },
      forwardBytes: () => row * (forwardRows + 4 * tile) + weights(forwardRows),
      queryBytes: (withContext) => row * (gradientRows * (withContext ? 3 : 2) + 4 * tile) + weights(gradientRows),
      keyBytes: row * (2 * gradientRows + 4 * tile) + weights(gradientRows) + 4 * tile * 4,
    };
  }
  const isWide =
    type === 'bf16' && width === 64 && Math.ceil(seqLen / 128) * batch * numHeads >= attentionChoice.wideBlocks;
  const forwardRows = isWide ? 128 : 64;
  const forwardTile = width * bytes > 256 ? 32 : 64;
  return {
    ...{ suffix: `${type === 'bf16' ? 'bf16' : 'tf32'}_${width}`, forwardRows, gradientRows: 64 },
    forwardName: isWide ? 'attention_wide' : 'attention',
    forwardBytes: (withContext) => row * (forwardRows * (withContext ? 2 : 1) + 4 * forwardTile),
    queryBytes: (withContext) => row * (64 * (withContext ? 3 : 2) + 4 * 64),
    keyBytes: row * (2 * 64 + 4 * 64) + 4 * 64 * 4,
  };
}

/** Whether every row of every head starts at a multiple of 16 bytes, and has whole ones. */
function isAligned({ type, headDim }: Attention, rows: readonly (TokenRows | undefined)[]): boolean {
  const bytes = NUMBER_BYTES[type];
  const starts = rows.flatMap((each) => (each ? [each.address, each.rowStride * bytes, each.batchStride * bytes] : []));
  return [headDim * bytes, ...starts].every((place) => place % 16 === 0);
}

const NOWHERE: TokenRows = { address: 0, rowStride: 0, batchStride: 0 };

/** The kernels' two structs. */
function argumentsOf(f: Attention & Partial<AttentionGradient>, dOutSum = 0, delta = 0): KernelArgument[] {
  const { dOut = NOWHERE, dQ = NOWHERE, dK = NOWHERE, dV = NOWHERE } = f;
  const strides = [f.q, f.k, f.v, f.out, dOut, dQ, dK, dV].flatMap(({ rowStride, batchStride }) => [
    rowStride,
    batchStride,
  ]);
  return [
    {
      ints: [
        ...[f.batch, f.numHeads, f.headDim, f.seqLen, f.keyLen, f.prefixLen, f.contextLen, f.maskStride ?? f.keyLen],
        ...strides,
        floatBits(f.scale),
      ],
    },
    {
      addresses: [
        ...[f.q.address, f.k.address, f.v.address, f.out.address, f.contextOut?.address ?? 0, f.lse],
        ...[f.lengths ?? 0, f.keyMask ?? 0, dOut.address, f.dContextOut?.address ?? 0, dOutSum, delta],
        ...[dQ.address, dK.address, dV.address],
      ],
    },
  ];
}

function check(f: Attention): void {
  if (f.headDim > MAX_HEAD_DIM) {
    throw new Error(`attention: expected heads of at most ${MAX_HEAD_DIM} dimensions, got ${f.headDim}`);
  }
  if (f.contextLen > 0 && f.contextOut === undefined) {
    throw new Error('attention: expected a place for the part that is read from the context, got none');
  }
  if (f.type === 'bf16' && f.keyMask) {
    throw new Error('attention: expected no keyMask in bf16; give lengths, or float32');
  }
}

/** out = softmax(scale · q kᵀ + mask) v per head. */
export function encodeAttentionForward(context: AttentionContext, f: Attention): void {
  check(f);
  const heads = f.batch * f.numHeads;
  if (heads * f.seqLen === 0) return;
  const tiles = isAligned(f, [f.q, f.k, f.v, f.out, f.contextOut]) ? tilesOf(f) : undefined;
  const sharedBytes = tiles?.forwardBytes(f.contextLen > 0) ?? 0;
  if (tiles === undefined || sharedBytes > context.facts.sharedMemory) {
    const grid = [Math.ceil((heads * f.seqLen) / ANY_ROWS)] as const;
    context.commands.launch(context.kernel(`attention_any_${suffixOf(f)}`), { grid, threads: THREADS }, argumentsOf(f));
    return;
  }
  const grid = [Math.ceil(f.seqLen / tiles.forwardRows) * heads] as const;
  const kernel = context.kernel(`${tiles.forwardName}_${tiles.suffix}`);
  context.commands.launch(kernel, { grid, threads: THREADS, sharedBytes }, argumentsOf(f));
}

function suffixOf({ type }: Attention): string {
  return type === 'bf16' ? 'bf16' : 'float';
}

/** dQ, dK and dV from dOut, and what the forward pass left. Deterministic. */
export function encodeAttentionBackward(context: AttentionContext, f: AttentionGradient): void {
  check(f);
  if (f.contextLen > 0 && f.dContextOut === undefined) {
    throw new Error('attention gradient: expected the gradient of the part that is read from the context, got none');
  }
  const heads = f.batch * f.numHeads;
  if (heads * f.keyLen === 0) return;
  const withContext = f.contextLen > 0;
  const rows = [f.q, f.k, f.v, f.out, f.contextOut, f.dOut, f.dContextOut, f.dQ, f.dK, f.dV];
  const tiles = isAligned(f, rows) ? tilesOf(f) : undefined;
  const isTiled =
    tiles !== undefined && Math.max(tiles.queryBytes(withContext), tiles.keyBytes) <= context.facts.sharedMemory;
  const delta = context.scratch(heads * f.seqLen * 4);
  const sumBytes = heads * f.seqLen * f.headDim * NUMBER_BYTES[f.type];
  const dOutSum = withContext && isTiled ? context.scratch(sumBytes) : 0;
  const args = argumentsOf(f, dOutSum, delta);
  const launch = (name: string, blocks: number, sharedBytes: number): void => {
    if (blocks === 0) return;
    context.commands.launch(context.kernel(name), { grid: [blocks], threads: THREADS, sharedBytes }, args);
  };
  if (!isTiled) {
    const suffix = suffixOf(f);
    launch(`attention_query_gradient_any_${suffix}`, Math.ceil((heads * f.seqLen) / ANY_ROWS), 0);
    launch(`attention_key_gradient_any_${suffix}`, Math.ceil((heads * f.keyLen) / ANY_ROWS), 0);
    return;
  }
  const variantOf = (choice: string): string => (tiles.suffix === 'bf16_64' && choice !== 'medium' ? `${choice}_` : '');
  // The second reads the delta of the first.
  const blocksOf = (tokens: number): number => Math.ceil(tokens / tiles.gradientRows);
  const keyBlocks = blocksOf(f.contextLen) + blocksOf(f.keyLen - f.contextLen);
  launch(
    `attention_query_gradient_${variantOf(attentionChoice.query)}${tiles.suffix}`,
    blocksOf(f.seqLen) * heads,
    tiles.queryBytes(withContext),
  );
  launch(`attention_key_gradient_${variantOf(attentionChoice.key)}${tiles.suffix}`, keyBlocks * heads, tiles.keyBytes);
}

export interface Rotary {
  readonly type: NumberType;
  /** Rotated in place; up to four arrays of the same sizes in one launch. */
  readonly x: TokenRows | readonly TokenRows[];
  readonly batch: number;
  readonly seqLen: number;
  readonly numHeads: number;
  readonly headDim: number;
  readonly rotaryDims: number;
  readonly base: number;
  /** Position of the first token. */
  readonly startPosition: number;
  /** −1 rotates back: the gradient. */
  readonly direction: 1 | -1;
}

/** The widest share of a head that rotates. */
export const MAX_ROTARY_DIMS = 128;
const ROTARY_THREADS = 256;
const ROTARY_ARRAYS = 4;

/** base^(−i/half) for the kernels: the lower halves of the doubles' bits, then the upper ones. */
function frequencyBits(half: number, base: number): Int32Array {
  const most = MAX_ROTARY_DIMS / 2;
  const bits = new Int32Array(2 * most);
  const view = new DataView(new ArrayBuffer(8));
  for (let i = 0; i < half; i++) {
    view.setFloat64(0, base ** (-i / half));
    bits[i] = view.getInt32(4);
    bits[most + i] = view.getInt32(0);
  }
  return bits;
}

const frequencies = new Map<string, Int32Array>();
function cachedFrequencies(half: number, base: number): Int32Array {
  const key = `${half},${base}`;
  const known = frequencies.get(key) ?? frequencyBits(half, base);
  if (!frequencies.has(key)) {
    if (frequencies.size === 16) frequencies.clear();
    frequencies.set(key, known);
  }
  return known;
}

/** Rotary positions on the first `rotaryDims` of every head, in place, with the angles of rotaryTable. */
export function encodeRotary(context: Pick<AttentionContext, 'commands' | 'kernel'>, f: Rotary): void {
  const arrays = Array.isArray(f.x) ? (f.x as readonly TokenRows[]) : [f.x as TokenRows];
  const half = f.rotaryDims / 2;
  if (half === 0 || f.batch * f.seqLen === 0) return;
  if (f.rotaryDims > MAX_ROTARY_DIMS || arrays.length > ROTARY_ARRAYS || !Number.isInteger(half)) {
    throw new Error(
      `rotary positions: expected an even number of up to ${MAX_ROTARY_DIMS} dimensions and ${ROTARY_ARRAYS} arrays, ` +
        `got ${f.rotaryDims} and ${arrays.length}`,
    );
  }
  const unit = 4 * NUMBER_BYTES[f.type];
  const byFour =
    half % 4 === 0 &&
    f.headDim % 4 === 0 &&
    arrays.every(
      ({ address, rowStride, batchStride }) => address % unit === 0 && rowStride % 4 === 0 && batchStride % 4 === 0,
    );
  // Some four rounds of a block, unless that leaves most of the card idle.
  const perToken = (f.numHeads * half) / (byFour ? 4 : 1);
  const tokensOfBlock = Math.max(
    1,
    Math.min(f.seqLen, Math.ceil((4 * ROTARY_THREADS) / perToken), Math.floor(4096 / half)),
  );
  const strides = Array.from({ length: ROTARY_ARRAYS }, (_, i) => arrays[i] ?? NOWHERE);
  const name = `rotary_${byFour ? '' : 'single_'}${f.type === 'bf16' ? 'bf16' : 'float'}`;
  const size = {
    grid: [Math.ceil(f.seqLen / tokensOfBlock), f.batch, arrays.length] as const,
    threads: ROTARY_THREADS,
    sharedBytes: 2 * tokensOfBlock * half * 4,
  };
  context.commands.launch(context.kernel(name), size, [
    {
      ints: [
        ...[f.batch, f.seqLen, f.numHeads, f.headDim, half, f.startPosition, f.direction, tokensOfBlock],
        ...strides.map(({ rowStride }) => rowStride),
        ...strides.map(({ batchStride }) => batchStride),
      ],
    },
    { addresses: strides.map(({ address }) => address) },
    { ints: cachedFrequencies(half, f.base) },
  ]);
}

/** One new token of each row against a cache, float32; width = numHeads · headDim. */
export interface DecodeAttention {
  /** [rows, width]. */
  readonly q: number;
  /** [rows, capacity, width], of which `length` tokens are there, the new one included. */
  readonly keys: number;
  readonly values: number;
  readonly capacity: number;
  readonly length: number;
  /** Where the card finds the length instead, as int32; `length` is then the most it may be. */
  readonly lengthAddress?: number;
  /** [rows, contextLen, width]. */
  readonly contextKeys?: number;
  readonly contextValues?: number;
  /** [numHeads]: the context then has a softmax of its own, and a head takes tanh of its gate of what that gives. */
  readonly contextGates?: number;
  readonly contextLen: number;
  /** [rows, width], and with a context the part of it that was read from there. */
  readonly out: number;
  readonly contextOut?: number;
  readonly rows: number;
  readonly numHeads: number;
  readonly headDim: number;
}

/** Keys that a block takes, as in source/attentionDecode.cu. */
const DECODE_KEYS = 64;

/**
 * softmax(q [context, cache]ᵀ/√headDim) [context, cache] per head, with gates as `gatedAttention` in src/tokenformer
 * defines it: chunks of the keys, then their merge in order.
 */
export function encodeAttentionDecode(context: AttentionContext, f: DecodeAttention): void {
  const { rows, numHeads, headDim, contextLen, length } = f;
  if (contextLen > 0 && !(f.contextKeys && f.contextValues && f.contextOut)) {
    throw new Error('attention of one token: expected keys, values and a result of the context, not all are there');
  }
  const width = numHeads * headDim;
  const chunks = Math.ceil(contextLen / DECODE_KEYS) + Math.ceil(length / DECODE_KEYS);
  const partial = context.scratch(rows * numHeads * chunks * (headDim + 2) * 4);
  const read = [f.q, f.keys, f.values, f.contextKeys ?? 0, f.contextValues ?? 0];
  const byFour = headDim % 4 === 0 && read.every((address) => address % 16 === 0);
  const groups = Math.max(1, Math.floor(THREADS / (headDim / (byFour ? 4 : 1))));
  const args: KernelArgument[] = [
    {
      ints: [
        ...[rows, numHeads, headDim, f.capacity, contextLen, length, chunks, width, width],
        floatBits(1 / Math.sqrt(headDim)),
      ],
    },
    { addresses: [...read, f.lengthAddress ?? 0, f.contextGates ?? 0, partial, f.out, f.contextOut ?? 0] },
  ];
  context.commands.launch(
    context.kernel(byFour ? 'attention_decode' : 'attention_decode_single'),
    { grid: [chunks, numHeads, rows], threads: THREADS, sharedBytes: groups * headDim * 4 },
    args,
  );
  context.commands.launch(context.kernel('attention_decode_merge'), { grid: [numHeads, rows], threads: THREADS }, args);
}
