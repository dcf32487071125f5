import { beforeAll, expect, it } from 'vitest';
import { createRandom } from '#src/random';
import {
  type AttentionContext,
  type AttentionGradient,
  attentionChoice,
  encodeAttentionBackward,
  encodeAttentionDecode,
  encodeAttentionForward,
  encodeRotary,
  type TokenRows,
} from '../../../src/engine/cuda/kernels/attention.js';
import { createCommands, type NumberType } from '../../../src/engine/cuda/kernels/commands.js';
import { type Cuda, openCuda } from '../../../src/engine/cuda/runtime.js';
import { rotaryTable } from '../../../src/engine/shared/rotaryTable.js';
import { describeCuda } from './card.js';

/** Greatest relative error of a result's norm, against double precision on the same inputs. */
const TOLERANCES = {
  float32: 1e-6, // measured at most 5e-7
  tf32: 2e-3, // 8e-4
  bf16: 6e-3, // 2.7e-3
} as const;
type Arithmetic = keyof typeof TOLERANCES;

interface Case {
  readonly arithmetic: Arithmetic;
  readonly headDim: number;
  readonly seqLen: number;
  /** Keys before the queries' own; default 0. */
  readonly past?: number;
  readonly batch?: number;
  readonly numHeads?: number;
  readonly prefixLen?: number;
  readonly contextLen?: number;
  readonly lengths?: readonly number[];
  readonly keyMask?: Float32Array;
  /** q, k and v side by side in one row, with some numbers behind them. */
  readonly packed?: boolean;
}

let cuda: Cuda;

/** Rounds to bf16, to nearest even. */
function roundBf16(x: number): number {
  const bits = new Uint32Array(Float32Array.of(x).buffer)[0];
  return (((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) << 16) | 0;
}

function asFloat(bits: number): number {
  return new Float32Array(Int32Array.of(bits).buffer)[0];
}

/** An array in device memory, its numbers seen from here. */
class Numbers {
  readonly address: number;
  constructor(
    readonly type: NumberType,
    readonly values: Float64Array,
  ) {
    this.address = cuda.addon.allocate(Math.max(1, values.length) * 4);
    if (type === 'bf16') {
      for (const [i, x] of values.entries()) values[i] = asFloat(roundBf16(x));
      cuda.addon.upload(
        this.address,
        Uint16Array.from(values, (x) => roundBf16(x) >>> 16),
      );
    } else {
      for (const [i, x] of values.entries()) values[i] = Math.fround(x);
      cuda.addon.upload(this.address, Float32Array.from(values));
    }
  }
  read(): Float64Array {
    if (this.type === 'bf16') {
      const bits = new Uint16Array(this.values.length);
      cuda.addon.download(this.address, bits);
      return Float64Array.from(bits, (half) => asFloat(half << 16));
    }
    const floats = new Float32Array(this.values.length);
    cuda.addon.download(this.address, floats);
    return Float64Array.from(floats);
  }
  free(): void {
    cuda.addon.free(this.address);
  }
}

/** Runs what encodes commands, with memory that it may use. */
function run(encode: (context: AttentionContext) => void): void {
  const commands = createCommands(cuda.addon);
  const scratches: number[] = [];
  const scratch = (bytes: number): number => {
    scratches.push(cuda.addon.allocate(Math.max(1, bytes)));
    return scratches.at(-1) as number;
  };
  encode({ commands, kernel: cuda.kernel, scratch, facts: cuda.facts });
  commands.flush();
  cuda.addon.synchronize();
  for (const address of scratches) cuda.addon.free(address);
}

interface Results {
  readonly out: Float64Array;
  readonly contextOut: Float64Array;
  readonly dQ: Float64Array;
  readonly dK: Float64Array;
  readonly dV: Float64Array;
}
const RESULTS = ['out', 'contextOut', 'dQ', 'dK', 'dV'] as const;

function attend(test: Case): { readonly actual: Results; readonly again: Results; readonly expected: Results } {
  const { arithmetic, headDim, seqLen, past = 0, batch = 2, numHeads = 2, contextLen = 0, prefixLen = 0 } = test;
  const type = arithmetic === 'bf16' ? 'bf16' : 'float32';
  const keyLen = contextLen + past + seqLen;
  const width = numHeads * headDim;
  const random = createRandom(1, 'attention', headDim, seqLen, keyLen);
  const numbers = (count: number): Numbers =>
    new Numbers(
      type,
      Float64Array.from({ length: count }, () => random.normal()),
    );
  const empty = (count: number): Numbers => new Numbers(type, new Float64Array(count).fill(Number.NaN));
  const rowStride = test.packed ? 3 * width + 8 : width;
  const bytes = type === 'bf16' ? 2 : 4;
  const lay = (of: Numbers, place: number, len: number): TokenRows => ({
    address: of.address + (test.packed ? place * width * bytes : 0),
    rowStride,
    batchStride: len * rowStride,
  });
  const isJoint = test.packed && keyLen === seqLen;
  const q = numbers(batch * seqLen * rowStride);
  const [k, v] = isJoint ? [q, q] : [numbers(batch * keyLen * rowStride), numbers(batch * keyLen * rowStride)];
  const dQ = empty(batch * seqLen * rowStride);
  const [dK, dV] = isJoint ? [dQ, dQ] : [empty(batch * keyLen * rowStride), empty(batch * keyLen * rowStride)];
  const count = batch * seqLen * width;
  const [out, contextOut, dOut, dContextOut] = [empty(count), empty(count), numbers(count), numbers(count)];
  const lse = new Numbers('float32', new Float64Array(batch * numHeads * seqLen).fill(Number.NaN));
  const flat = ({ address }: Numbers): TokenRows => ({ address, rowStride: width, batchStride: seqLen * width });
  const mask = test.keyMask && new Numbers('float32', Float64Array.from(test.keyMask));
  const lengths = test.lengths && cuda.addon.allocate(4 * batch);
  if (lengths) cuda.addon.upload(lengths, Int32Array.from(test.lengths ?? []));
  const settings: AttentionGradient = {
    ...{ type, compute: arithmetic, batch, seqLen, keyLen, numHeads, headDim, prefixLen, contextLen },
    ...{ scale: 1 / Math.sqrt(headDim), lse: lse.address, lengths, keyMask: mask?.address },
    maskStride: test.keyMask?.length === keyLen ? 0 : keyLen,
    ...{ q: lay(q, 0, seqLen), k: lay(k, 1, keyLen), v: lay(v, 2, keyLen), out: flat(out), dOut: flat(dOut) },
    ...(contextLen > 0 && { contextOut: flat(contextOut), dContextOut: flat(dContextOut) }),
    ...{ dQ: lay(dQ, 0, seqLen), dK: lay(dK, 1, keyLen), dV: lay(dV, 2, keyLen) },
  };
  const once = (): Results => {
    run((context) => {
      encodeAttentionForward(context, settings);
      encodeAttentionBackward(context, settings);
    });
    const tokens = (of: Numbers, place: number, len: number): Float64Array => {
      const all = of.read();
      const start = test.packed ? place * width : 0;
      return Float64Array.from({ length: batch * len * width }, (_, i) => {
        return all[Math.floor(i / width) * rowStride + start + (i % width)];
      });
    };
    return {
      ...{ out: out.read(), contextOut: contextLen > 0 ? contextOut.read() : new Float64Array() },
      ...{ dQ: tokens(dQ, 0, seqLen), dK: tokens(dK, 1, keyLen), dV: tokens(dV, 2, keyLen) },
    };
  };
  const [actual, again] = [once(), once()];
  const place = (of: TokenRows, base: Numbers): number => (of.address - base.address) / bytes;
  const at =
    (of: Numbers, { rowStride: row, batchStride }: TokenRows, start: number) =>
    (b: number, i: number) =>
      start + b * batchStride + i * row + 0 * of.values.length;
  const reader = (of: Numbers, rows: TokenRows) => {
    const placeOf = at(of, rows, place(rows, of));
    return (b: number, i: number, h: number, d: number): number => of.values[placeOf(b, i) + h * headDim + d];
  };
  const expected = reference(test, {
    ...{ q: reader(q, settings.q), k: reader(k, settings.k), v: reader(v, settings.v) },
    ...{ dOut: reader(dOut, settings.dOut), dContext: reader(dContextOut, flat(dContextOut)) },
  });
  for (const each of new Set([q, k, v, dQ, dK, dV, out, contextOut, dOut, dContextOut, lse, ...(mask ? [mask] : [])])) {
    each.free();
  }
  if (lengths) cuda.addon.free(lengths);
  return { actual, again, expected };
}

type Reader = (b: number, i: number, h: number, d: number) => number;

/** The definition, in double precision. */
function reference(
  { headDim, seqLen, past = 0, batch = 2, numHeads = 2, prefixLen = 0, contextLen = 0, lengths, keyMask }: Case,
  { q, k, v, dOut, dContext }: Readonly<Record<'q' | 'k' | 'v' | 'dOut' | 'dContext', Reader>>,
): Results {
  const keyLen = contextLen + past + seqLen;
  const width = numHeads * headDim;
  const zeros = (tokens: number): Float64Array => new Float64Array(batch * tokens * width);
  const results = {
    ...{ out: zeros(seqLen), contextOut: contextLen > 0 ? zeros(seqLen) : new Float64Array() },
    ...{ dQ: zeros(seqLen), dK: zeros(keyLen), dV: zeros(keyLen) },
  };
  const dims = Array.from({ length: headDim }, (_, d) => d);
  const dot = (x: (d: number) => number, y: (d: number) => number): number => {
    let sum = 0;
    for (let d = 0; d < headDim; d++) sum += x(d) * y(d);
    return sum;
  };
  for (let b = 0; b < batch; b++) {
    const queries = lengths?.[b] ?? seqLen;
    const keys = keyLen - seqLen + queries;
    const maskRow = keyMask && (keyMask.length === keyLen ? 0 : b * keyLen);
    for (let h = 0; h < numHeads; h++) {
      for (let i = 0; i < queries; i++) {
        const own = (b * seqLen + i) * width + h * headDim;
        const visible = Math.max(keyLen - seqLen + i + 1, prefixLen);
        const scores = Array.from({ length: keys }, (_, j) => {
          const causes = (j >= visible ? 1 : 0) + (keyMask && keyMask[(maskRow as number) + j] <= 0 ? 1 : 0);
          if (causes > 0) return -1e9 * causes;
          const [query, key] = [(d: number) => q(b, i, h, d), (d: number) => k(b, j, h, d)];
          return dot(query, key) / Math.sqrt(headDim);
        });
        const largest = Math.max(...scores);
        const weights = scores.map((s) => Math.exp(s - largest));
        const sum = weights.reduce((x, y) => x + y, 0);
        const p = weights.map((w) => w / sum);
        const gradient = (j: number, d: number): number =>
          dOut(b, i, h, d) + (j < contextLen ? dContext(b, i, h, d) : 0);
        const value = (j: number) => (d: number) => v(b, j, h, d);
        const dP = p.map((_, j) => dot((d) => gradient(j, d), value(j)));
        const mean = p.reduce((total, weight, j) => total + weight * dP[j], 0);
        for (const [j, weight] of p.entries()) {
          if (weight === 0) continue;
          const dS = (weight * (dP[j] - mean)) / Math.sqrt(headDim);
          const other = (b * keyLen + j) * width + h * headDim;
          for (const d of dims) {
            results.out[own + d] += weight * v(b, j, h, d);
            if (j < contextLen) results.contextOut[own + d] += weight * v(b, j, h, d);
            results.dQ[own + d] += dS * k(b, j, h, d);
            results.dK[other + d] += dS * q(b, i, h, d);
            results.dV[other + d] += weight * gradient(j, d);
          }
        }
      }
    }
  }
  return results;
}

function relativeError(actual: Float64Array, expected: Float64Array): number {
  let [error, norm] = [0, 0];
  for (const [i, x] of expected.entries()) {
    error += (actual[i] - x) ** 2;
    norm += x ** 2;
  }
  return Math.sqrt(error / Math.max(norm, 1e-30));
}

function bytesOf({ buffer }: Float64Array): Buffer {
  return Buffer.from(buffer as ArrayBuffer);
}

function expectAgreement(test: Case): void {
  const { actual, again, expected } = attend(test);
  for (const name of RESULTS) {
    if (expected[name].length === 0) continue;
    expect(relativeError(actual[name], expected[name]), name).toBeLessThan(TOLERANCES[test.arithmetic]);
    expect(Buffer.compare(bytesOf(again[name]), bytesOf(actual[name])), `${name}, again`).toBe(0);
  }
}

const ARITHMETICS = Object.keys(TOLERANCES) as Arithmetic[];

describeCuda('attention on the card', () => {
  beforeAll(() => {
    const opened = openCuda();
    if ('reason' in opened) throw new Error(opened.reason);
    cuda = opened;
  });

  for (const arithmetic of ARITHMETICS) {
    it(`${arithmetic}: heads of all widths, in parts of packed rows, the same bits each time`, () => {
      for (const headDim of [8, 16, 24, 32, 64, 72, 128]) {
        expectAgreement({ arithmetic, headDim, seqLen: 37, packed: true });
      }
    });

    it(`${arithmetic}: sequences that end anywhere in a tile`, () => {
      for (const seqLen of [3, 16, 63, 64, 65, 129]) {
        expectAgreement({ arithmetic, headDim: 64, seqLen, batch: 1, numHeads: 1 });
      }
    });

    it(`${arithmetic}: full attention and a prefix`, () => {
      for (const prefixLen of [40, 75]) expectAgreement({ arithmetic, headDim: 64, seqLen: 75, prefixLen, batch: 1 });
    });

    it(`${arithmetic}: a context, whose part comes apart too`, () => {
      for (const contextLen of [1, 70]) {
        expectAgreement({ arithmetic, headDim: 32, seqLen: 70, contextLen, prefixLen: contextLen + 4 });
      }
    });

    it(`${arithmetic}: tokens behind a sequence's length get 0 and are not seen`, () => {
      const lengths = [0, 33, 70];
      for (const prefixLen of [0, 90]) {
        expectAgreement({ arithmetic, headDim: 64, seqLen: 70, batch: 3, lengths, contextLen: 9, prefixLen });
      }
    });

    it(`${arithmetic}: keys of the past`, () => {
      expectAgreement({ arithmetic, headDim: 64, seqLen: 5, past: 90 });
    });
  }

  it('bf16: the kernels that a choice can name', () => {
    const usual = { ...attentionChoice };
    for (const choice of [{ wideBlocks: 0, query: 'long', key: 'long' }, { query: 'short' }] as const) {
      Object.assign(attentionChoice, choice);
      const lengths = [150, 70];
      expectAgreement({
        arithmetic: 'bf16',
        headDim: 64,
        seqLen: 150,
        numHeads: 1,
        lengths,
        contextLen: 5,
        prefixLen: 5,
      });
    }
    Object.assign(attentionChoice, usual);
  });

  it('padding anywhere, by a mask of each sequence or of all', () => {
    const random = createRandom(2, 'mask');
    for (const arithmetic of ['float32', 'tf32'] as const) {
      const mask = Float32Array.from({ length: 3 * 70 }, (_, i) =>
        i >= 140 || (i >= 70 && i < 80) || random.uniform() < 0.3 ? 0 : 1,
      );
      expectAgreement({ arithmetic, headDim: 64, seqLen: 70, batch: 3, keyMask: mask });
      expectAgreement({ arithmetic, headDim: 64, seqLen: 70, batch: 3, keyMask: mask.subarray(70, 140) });
    }
  });

  it('heads that do not fill 16 bytes', () => {
    for (const headDim of [1, 3, 30, 132]) {
      expectAgreement({ arithmetic: 'float32', headDim, seqLen: 17, contextLen: 3, prefixLen: 3, lengths: [17, 9] });
    }
    expectAgreement({ arithmetic: 'bf16', headDim: 20, seqLen: 17, packed: true });
  });

  it('rotary positions, there and back', () => {
    const [batch, seqLen, numHeads, headDim, startPosition, base] = [2, 21, 3, 16, 5, 10000];
    const width = numHeads * headDim;
    for (const [type, rotaryDims, tolerance] of [
      ['float32', 8, 2e-7],
      ['float32', 6, 2e-7],
      ['bf16', 8, 4e-3],
      ['bf16', 2, 4e-3],
    ] as const) {
      const half = rotaryDims / 2;
      const rowStride = 2 * width;
      const random = createRandom(3, 'rotary');
      const x = new Numbers(
        type,
        Float64Array.from({ length: batch * seqLen * rowStride }, () => random.normal()),
      );
      const start = width * (type === 'bf16' ? 2 : 4);
      const parts = [0, start].map((place) => ({
        ...{ address: x.address + place, rowStride, batchStride: seqLen * rowStride },
      }));
      const settings = { type, batch, seqLen, numHeads, headDim, rotaryDims, base, startPosition } as const;
      const expected = x.values.slice();
      const table = rotaryTable(seqLen, half, startPosition, base, 1);
      for (let place = 0; place < expected.length; place += headDim) {
        const t = Math.floor(place / rowStride) % seqLen;
        for (let i = 0; i < half; i++) {
          const [cos, sin] = [table[t * half + i], table[(seqLen + t) * half + i]];
          const [a, b] = [x.values[place + i], x.values[place + half + i]];
          expected[place + i] = a * cos - b * sin;
          expected[place + half + i] = b * cos + a * sin;
        }
      }
      run((context) => encodeRotary(context, { ...settings, x: parts, direction: 1 }));
      expect(relativeError(x.read(), expected)).toBeLessThan(tolerance);
      run((context) => encodeRotary(context, { ...settings, x: parts[0], direction: -1 }));
      run((context) => encodeRotary(context, { ...settings, x: parts[1], direction: -1 }));
      expect(relativeError(x.read(), x.values)).toBeLessThan(tolerance);
      x.free();
    }
  });

  it('one new token against a cache with room, and a context, behind gates too', () => {
    for (const [headDim, length, contextLen] of [
      [64, 150, 0],
      [64, 1, 70],
      [20, 65, 3],
      [7, 33, 5],
      [300, 5, 0],
    ]) {
      const [rows, numHeads, capacity] = [2, 3, length + 6];
      const width = numHeads * headDim;
      const random = createRandom(4, 'decode', headDim);
      const numbers = (count: number): Numbers =>
        new Numbers(
          'float32',
          Float64Array.from({ length: count }, () => random.normal()),
        );
      const q = numbers(rows * width);
      const [keys, values] = [numbers(rows * capacity * width), numbers(rows * capacity * width)];
      const [contextKeys, contextValues] = [numbers(rows * contextLen * width), numbers(rows * contextLen * width)];
      const [out, contextOut] = [numbers(rows * width), numbers(rows * width)];
      const lengthAddress = cuda.addon.allocate(4);
      cuda.addon.upload(lengthAddress, Int32Array.of(length));
      const settings = {
        ...{ q: q.address, keys: keys.address, values: values.address, capacity, contextLen, rows, numHeads, headDim },
        ...{ contextKeys: contextKeys.address, contextValues: contextValues.address },
        ...{ out: out.address, contextOut: contextOut.address },
      };
      const joined = (of: Numbers, context: Numbers): Reader => {
        return (b, j, h, d) =>
          j < contextLen
            ? context.values[(b * contextLen + j) * width + h * headDim + d]
            : of.values[(b * capacity + j - contextLen) * width + h * headDim + d];
      };
      const query: Reader = (b, _, h, d) => q.values[b * width + h * headDim + d];
      const common = { arithmetic: 'float32', headDim, seqLen: 1, batch: rows, numHeads } as const;
      const from = { q: query, dOut: () => 0, dContext: () => 0 };
      const expected = reference(
        { ...common, past: length - 1, contextLen },
        { ...from, k: joined(keys, contextKeys), v: joined(values, contextValues) },
      );
      for (const counted of [{ length }, { length: capacity, lengthAddress }]) {
        run((context) => encodeAttentionDecode(context, { ...settings, ...counted }));
        expect(relativeError(out.read(), expected.out)).toBeLessThan(1e-6);
        if (contextLen > 0) expect(relativeError(contextOut.read(), expected.contextOut)).toBeLessThan(1e-6);
      }
      if (contextLen > 0) {
        const gates = numbers(numHeads);
        const alone = (of: Numbers, room: number): Reader => {
          return (b, j, h, d) => of.values[(b * room + j) * width + h * headDim + d];
        };
        const own = reference(
          { ...common, past: length - 1 },
          { ...from, k: alone(keys, capacity), v: alone(values, capacity) },
        );
        const read = reference(
          { ...common, past: contextLen - 1 },
          { ...from, k: alone(contextKeys, contextLen), v: alone(contextValues, contextLen) },
        );
        const whole = own.out.map(
          (x, i) => x + Math.tanh(gates.values[Math.floor(i / headDim) % numHeads]) * read.out[i],
        );
        run((context) => encodeAttentionDecode(context, { ...settings, length, contextGates: gates.address }));
        expect(relativeError(out.read(), whole)).toBeLessThan(1e-6);
        expect(relativeError(contextOut.read(), read.out)).toBeLessThan(1e-6);
        gates.free();
      }
      for (const each of [q, keys, values, contextKeys, contextValues, out, contextOut]) each.free();
      cuda.addon.free(lengthAddress);
    }
  });
});
