/**
 * @file Attention alone on the card: milliseconds and TFLOP/s of each pass for shapes of real models, by arithmetic, and by the kernels
 * that `attentionChoice` can choose; results are held against float32's, and two runs against each other.
 * `node dist/bench/gpu/attention.js`, some 10 seconds behind the compilation; `--small` for a quick look at whether all of it works.
 */
import {
  type AttentionContext,
  type AttentionGradient,
  attentionChoice,
  encodeAttentionBackward,
  encodeAttentionForward,
  type TokenRows,
} from '../../src/engine/cuda/kernels/attention.js';
import { createCommands, type NumberType } from '../../src/engine/cuda/kernels/commands.js';
import { type Cuda, openCuda } from '../../src/engine/cuda/runtime.js';
import { createRandom } from '../../src/random/index.js';

interface Shape {
  readonly batch: number;
  readonly seqLen: number;
  readonly numHeads: number;
  readonly headDim: number;
  readonly isCausal: boolean;
}

const isSmall = process.argv.includes('--small');

const SHAPES: readonly Shape[] = isSmall
  ? [{ batch: 1, seqLen: 70, numHeads: 1, headDim: 64, isCausal: true }]
  : [
      { batch: 32, seqLen: 512, numHeads: 8, headDim: 64, isCausal: true },
      { batch: 8, seqLen: 1024, numHeads: 12, headDim: 64, isCausal: true },
      { batch: 64, seqLen: 197, numHeads: 12, headDim: 64, isCausal: false },
      { batch: 64, seqLen: 48, numHeads: 3, headDim: 32, isCausal: true },
    ];

/** Passes that are timed together, and times of which the middle one counts. */
const [PASSES, TIMES] = isSmall ? [1, 1] : [20, 5];

interface Setting {
  readonly name: string;
  readonly type: NumberType;
  readonly compute: 'float32' | 'tf32' | 'bf16';
  readonly choice?: Partial<typeof attentionChoice>;
}

const USUAL = { ...attentionChoice };
const BF16 = { type: 'bf16', compute: 'bf16' } as const;
const SETTINGS: readonly Setting[] = [
  { name: 'float32', type: 'float32', compute: 'float32' },
  { name: 'tf32', type: 'float32', compute: 'tf32' },
  { name: 'bf16', ...BF16 },
  { name: 'bf16, 64 queries, short', ...BF16, choice: { wideBlocks: Number.POSITIVE_INFINITY, query: 'short' } },
  { name: 'bf16, 128 queries, long', ...BF16, choice: { wideBlocks: 0, query: 'long', key: 'long' } },
];

/** Of the two passes: 4 and 10 multiplications and additions of a score by a head's width, of the scores that are seen. */
const FORWARD_OPERATIONS = 4;
const BACKWARD_OPERATIONS = 10;

function roundBf16(x: number): number {
  const bits = new Uint32Array(Float32Array.of(x).buffer)[0];
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** The same numbers, which bf16 holds, for both types: q, k and v side by side, and dOut. */
function inputs({ batch, seqLen, numHeads, headDim }: Shape): Record<'qkv' | 'dOut', Uint16Array<ArrayBuffer>> {
  const random = createRandom(1, 'attention');
  // Enough that no two rows are alike; more take long to make.
  const some = Uint16Array.from({ length: 65_521 }, () => roundBf16(random.normal()));
  const make = (count: number): Uint16Array<ArrayBuffer> =>
    Uint16Array.from({ length: count }, (_, i) => some[i % some.length]);
  const tokens = batch * seqLen * numHeads * headDim;
  return { qkv: make(3 * tokens), dOut: make(tokens) };
}

function widened(halves: Uint16Array): Float32Array<ArrayBuffer> {
  return new Float32Array(Uint32Array.from(halves, (bits) => bits << 16).buffer);
}

interface Measured {
  readonly forward: number;
  readonly backward: number;
  readonly results: Float32Array[];
  readonly isRepeatable: boolean;
}

function measure(
  { addon, kernel, facts }: Cuda,
  shape: Shape,
  setting: Setting,
  data: ReturnType<typeof inputs>,
): Measured {
  const { batch, seqLen, numHeads, headDim, isCausal } = shape;
  const { type, compute } = setting;
  Object.assign(attentionChoice, USUAL, setting.choice);
  const bytes = type === 'bf16' ? 2 : 4;
  const width = numHeads * headDim;
  const count = batch * seqLen * width;
  const allocations: number[] = [];
  const allocate = (size: number): number => {
    allocations.push(addon.allocate(size));
    return allocations[allocations.length - 1];
  };
  const placed = (halves: Uint16Array<ArrayBuffer>): number => {
    const address = allocate(halves.length * bytes);
    addon.upload(address, type === 'bf16' ? halves : widened(halves));
    return address;
  };
  const [qkv, dOut, out, dQkv] = [
    placed(data.qkv),
    placed(data.dOut),
    allocate(count * bytes),
    allocate(3 * count * bytes),
  ];
  const part = (address: number, i: number): TokenRows => ({
    ...{ address: address + i * width * bytes, rowStride: 3 * width, batchStride: seqLen * 3 * width },
  });
  const flat = (address: number): TokenRows => ({ address, rowStride: width, batchStride: seqLen * width });
  const f: AttentionGradient = {
    ...{ type, compute, batch, seqLen, keyLen: seqLen, numHeads, headDim, contextLen: 0 },
    ...{
      prefixLen: isCausal ? 0 : seqLen,
      scale: 1 / Math.sqrt(headDim),
      lse: allocate(batch * numHeads * seqLen * 4),
    },
    ...{ q: part(qkv, 0), k: part(qkv, 1), v: part(qkv, 2), out: flat(out), dOut: flat(dOut) },
    ...{ dQ: part(dQkv, 0), dK: part(dQkv, 1), dV: part(dQkv, 2) },
  };
  const commands = createCommands(addon);
  const delta = allocate(batch * numHeads * seqLen * 4);
  const context: AttentionContext = { commands, kernel, facts, scratch: () => delta };
  const time = (encode: () => void): number => {
    const times = Array.from({ length: TIMES }, () => {
      const from = addon.mark();
      for (let i = 0; i < PASSES; i++) encode();
      commands.flush();
      const to = addon.mark();
      const elapsed = addon.elapsed(from, to) / PASSES;
      addon.freeMark(from);
      addon.freeMark(to);
      return elapsed;
    });
    return times.sort((a, b) => a - b)[TIMES >> 1];
  };
  const read = (address: number, length: number): Float32Array => {
    if (type === 'float32') {
      const floats = new Float32Array(length);
      addon.download(address, floats);
      return floats;
    }
    const halves = new Uint16Array(length);
    addon.download(address, halves);
    return widened(halves);
  };
  const results = (): Float32Array[] => [read(out, count), read(dQkv, 3 * count)];
  encodeAttentionForward(context, f);
  encodeAttentionBackward(context, f);
  commands.flush();
  const first = results();
  const [forward, backward] = [
    time(() => encodeAttentionForward(context, f)),
    time(() => encodeAttentionBackward(context, f)),
  ];
  const again = results();
  const bytesOf = (x: Float32Array): Buffer => Buffer.from(x.buffer);
  const isRepeatable = first.every((x, i) => Buffer.compare(bytesOf(x), bytesOf(again[i])) === 0);
  for (const address of allocations) addon.free(address);
  Object.assign(attentionChoice, USUAL);
  return { forward, backward, results: first, isRepeatable };
}

function relativeError(actual: Float32Array, expected: Float32Array): number {
  let [error, norm] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    error += (actual[i] - expected[i]) ** 2;
    norm += expected[i] ** 2;
  }
  return Math.sqrt(error / norm);
}

function main(): void {
  const opened = openCuda();
  if ('reason' in opened) throw new Error(`attention bench: ${opened.reason}; ${opened.remedy}`);
  const lines: string[] = [];
  for (const shape of SHAPES) {
    const { batch, seqLen, numHeads, headDim, isCausal } = shape;
    const data = inputs(shape);
    const seen = isCausal ? (seqLen * (seqLen + 1)) / 2 : seqLen * seqLen;
    const operations = batch * numHeads * seen * headDim;
    const title = `B ${batch}, T ${seqLen}, H ${numHeads}, D ${headDim}, ${isCausal ? 'causal' : 'full'}`;
    lines.push(
      `\n${title}`,
      'arithmetic | forward ms | TFLOP/s | backward ms | TFLOP/s | error out, gradients | same bits',
    );
    let expected: Float32Array[] | undefined;
    for (const setting of SETTINGS) {
      const { forward, backward, results, isRepeatable } = measure(opened, shape, setting, data);
      expected ??= results;
      const errors = results.map((x, i) => relativeError(x, (expected as Float32Array[])[i]).toExponential(1));
      const rate = (perScore: number, ms: number): string => ((perScore * operations) / ms / 1e9).toFixed(1);
      lines.push(
        [
          ...[setting.name, forward.toFixed(4), rate(FORWARD_OPERATIONS, forward)],
          ...[backward.toFixed(4), rate(BACKWARD_OPERATIONS, backward)],
          ...[errors.join(', '), isRepeatable ? 'yes' : 'NO'],
        ].join(' | '),
      );
    }
  }
  process.stdout.write(`${lines.join('\n')}\n`);
}

main();
