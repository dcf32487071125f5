import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { selectEngine, tf } from '#src/engine';
import { linearCrossEntropy, pattention, tokenAttention } from '#src/kernels';
import { roundedToBf16 } from '../../support/bf16.js';
import { addon, normalNumbers, relativeDifference } from '../../support/kernelComparison.js';

// Sums of up to 900 products of normal numbers, in float32; 4.0e-7 measured.
const TOLERANCE = 2e-6;

// Of results whose operands are rounded, relative to the largest: a bf16 number is within 2⁻⁹ = 0.002 of the number it
// stands for. Measured: Pattention's output 0.0032, its gradients up to 0.0045; losses 0.0019, their gradients up to 0.0075.
const OF_ROUNDING = 0.02;

/** By the processor where it can; emulated in the same vectors, and in half of them. */
const VARIANTS = [
  { by: 'AMX', limit: '' },
  { by: 'AVX512-BF16', limit: '' },
  { by: 'emulation', limit: '' },
  { by: 'emulation', limit: 'avx2' },
] as const;

interface Factors {
  readonly m: number;
  readonly n: number;
  readonly depth: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** C = A B by the kernel. */
function product(a: Float32Array, b: Float32Array, { m, n, depth, transposeA, transposeB }: Factors, batch = 1) {
  const c = new Float32Array(batch * m * n).fill(Number.NaN);
  addon!.matMul(batch, m, n, depth, transposeA, transposeB, false, false, false, a, b, c);
  return c;
}

/** The same in double precision. */
function exactProduct(
  a: Float32Array,
  b: Float32Array,
  { m, n, depth, transposeA, transposeB }: Factors,
): Float32Array {
  const c = new Float32Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let p = 0; p < depth; p++) {
        sum += a[transposeA ? p * m + i : i * depth + p] * b[transposeB ? j * depth + p : p * n + j];
      }
      c[i * n + j] = sum;
    }
  }
  return c;
}

for (const { by, limit } of VARIANTS) {
  const absent = addon === undefined || addon.whyNoBf16(by) !== '';
  describe.skipIf(absent)(`products in bf16 by ${by}, ${limit || 'fastest'} instructions`, () => {
    beforeAll(async () => {
      await selectEngine('native');
      addon!.choose(limit);
      addon!.setMatmulPrecision(by);
    });
    afterAll(() => {
      addon!.choose('');
    });

    /** Results at this precision and in float32. */
    function atBoth(compute: () => tf.Tensor[]): { rounded: Float32Array[]; highest: Float32Array[] } {
      const results = () => tf.tidy(() => compute().map((tensor) => tensor.dataSync() as Float32Array));
      const rounded = results();
      addon!.setMatmulPrecision('highest');
      try {
        return { rounded, highest: results() };
      } finally {
        addon!.setMatmulPrecision(by);
      }
    }

    it('are those of operands rounded to bf16, any size, either operand stored transposed', () => {
      const size = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(64, 97, 300));
      // Past one block and past two, even and odd.
      const depth = fc.oneof(fc.integer({ min: 0, max: 70 }), fc.constantFrom(383, 384, 385, 769, 900));
      // No more than 4 rows, unless they are stored as columns, are float32: see below.
      const rows = size.map((m) => m + 4);
      const factors = fc.record({ m: rows, n: size, depth, transposeA: fc.boolean(), transposeB: fc.boolean() });
      fc.assert(
        fc.property(factors, (sizes) => {
          const a = normalNumbers(1, [sizes.m, sizes.depth]);
          const b = normalNumbers(2, [sizes.depth, sizes.n]);
          const expected = exactProduct(roundedToBf16(a), roundedToBf16(b), sizes);
          expect(relativeDifference(product(a, b, sizes), expected)).toBeLessThan(TOLERANCE);
        }),
        { numRuns: 100, seed: 14 },
      );
    });

    it('one for each matrix of a batch', () => {
      const sizes = { m: 7, n: 9, depth: 5, transposeA: false, transposeB: true };
      const [a, b] = [normalNumbers(1, [3, 7, 5]), normalNumbers(2, [3, 9, 5])];
      const c = product(a, b, sizes, 3);
      for (let i = 0; i < 3; i++) {
        const [left, right] = [a.subarray(35 * i, 35 * (i + 1)), b.subarray(45 * i, 45 * (i + 1))];
        const expected = exactProduct(roundedToBf16(left), roundedToBf16(right), sizes);
        expect(relativeDifference(c.subarray(63 * i, 63 * (i + 1)), expected)).toBeLessThan(TOLERANCE);
      }
    });

    it('round either operand to nearest, ties to even, whatever its bits', () => {
      const bits = fc.oneof(
        fc.integer({ min: 0, max: 0xffffffff }),
        // Ties and their neighbours; the largest numbers, which round to infinity; infinity; NaN.
        fc
          .tuple(fc.integer({ min: 0, max: 0xffff }), fc.constantFrom(0x7fff, 0x8000, 0x8001))
          .map(([h, l]) => h * 65536 + l),
        fc.constantFrom(0x7f7f8000, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7f800001, 0x7fffffff, 0x3f800000),
      );
      const count = 21;
      fc.assert(
        fc.property(fc.array(bits, { minLength: count, maxLength: count }), fc.boolean(), (drawn, transposed) => {
          const x = new Float32Array(Uint32Array.from(drawn).buffer);
          // The instruction takes denormals for zero.
          for (let i = 0; i < count; i++) if (Math.abs(x[i]) < 2 ** -126) x[i] = 0;
          const one = Float32Array.of(1);
          const expected = [...roundedToBf16(x)].map((y) => y + 0);
          const asLeft = product(x, one, { m: count, n: 1, depth: 1, transposeA: transposed, transposeB: false });
          expect([...asLeft].map((y) => y + 0)).toEqual(expected);
          const ones = new Float32Array(5).fill(1);
          const asRight = product(ones, x, { m: 5, n: count, depth: 1, transposeA: false, transposeB: transposed });
          for (let row = 0; row < 5; row++) {
            expect([...asRight.subarray(row * count, (row + 1) * count)].map((y) => y + 0)).toEqual(expected);
          }
        }),
        { numRuns: 300, seed: 15 },
      );
    });

    it('of no more than four rows are float32', () => {
      for (const m of [1, 4]) {
        const [a, b] = [normalNumbers(1, [m, 60]), normalNumbers(2, [60, 50])];
        const sizes = { m, n: 50, depth: 60, transposeA: false, transposeB: false };
        expect(relativeDifference(product(a, b, sizes), exactProduct(a, b, sizes))).toBeLessThan(TOLERANCE);
      }
    });

    it('are the same bits at any number of threads', () => {
      const sizes = { m: 300, n: 200, depth: 501, transposeA: true, transposeB: false };
      const [a, b] = [normalNumbers(1, [501, 300]), normalNumbers(2, [501, 200])];
      const threads = addon!.threads();
      try {
        const results = [1, 2, 3].map((count) => {
          addon!.setThreads(count);
          return product(a, b, sizes);
        });
        expect(results[1]).toEqual(results[0]);
        expect(results[2]).toEqual(results[0]);
      } finally {
        addon!.setThreads(threads);
      }
    });

    it('carry Pattention and its gradients, near those of float32', () => {
      const [tokens, width, n] = [170, 75, 391];
      const arrays = [
        [tokens, width],
        [n, width],
        [n, width],
      ].map((shape, i) => normalNumbers(i, shape, i === 1 ? 0.1 : 1));
      const weight = normalNumbers(9, [tokens, width]);
      const settings = { normActivation: 'l2NormGelu', gelu: 'erf', epsilon: 0, tau: Math.sqrt(n) } as const;
      const { rounded, highest } = atBoth(() => {
        const [x, keys, values] = arrays.map((array, i) => tf.tensor2d(array, [i === 0 ? tokens : n, width]));
        const apply = (...[a, b, c]: tf.Tensor[]): tf.Tensor =>
          pattention(a as tf.Tensor2D, b as tf.Tensor2D, c as tf.Tensor2D, settings);
        const gradients = tf.grads(apply)([x, keys, values], tf.tensor2d(weight, [tokens, width]));
        return [apply(x, keys, values), ...gradients];
      });
      expect(rounded).toHaveLength(4);
      for (const [i, numbers] of rounded.entries()) {
        const apart = relativeDifference(numbers, highest[i], 0);
        expect(apart).toBeLessThan(OF_ROUNDING);
        // Were they float32, they would be nearer than this.
        expect(apart).toBeGreaterThan(1e-4);
      }
    });

    it('carry the linear cross-entropy and its gradients, near those of float32', () => {
      const [rows, width, classes] = [130, 61, 333];
      const arrays = [normalNumbers(1, [rows, width]), normalNumbers(2, [classes, width], 3 / Math.sqrt(width))];
      const { rounded, highest } = atBoth(() => {
        const labels = tf.tensor1d(Int32Array.from({ length: rows }, (_, t) => (7 * t) % classes));
        const apply = (...[s, e]: tf.Tensor[]): tf.Tensor =>
          linearCrossEntropy(s as tf.Tensor2D, e as tf.Tensor2D, labels, tf.ones([rows]));
        const inputs = [tf.tensor2d(arrays[0], [rows, width]), tf.tensor2d(arrays[1], [classes, width])];
        return [apply(...inputs), ...tf.grads(apply)(inputs)];
      });
      expect(rounded).toHaveLength(3);
      for (const [i, numbers] of rounded.entries()) {
        const apart = relativeDifference(numbers, highest[i], 0);
        expect(apart).toBeLessThan(OF_ROUNDING);
        expect(apart).toBeGreaterThan(1e-5);
      }
    });

    it('leave attention in float32', () => {
      const { rounded, highest } = atBoth(() => {
        const x = tf.tensor3d(normalNumbers(1, [2, 30, 16]), [2, 30, 16]);
        return [tokenAttention(x, x, x, { numHeads: 2, prefixLen: 0, contextLen: 0 })];
      });
      expect(rounded).toEqual(highest);
    });
  });
}

describe.skipIf(addon === undefined)('setMatmulPrecision', () => {
  afterAll(() => {
    addon!.choose('');
  });

  it('refuses what it does not know', () => {
    expect(() => addon!.setMatmulPrecision('tf32' as 'AMX')).toThrow(
      /expected AMX, AVX512-BF16 or emulation, got 'tf32'/,
    );
  });

  it('refuses kernels without such products, and goes on with the ones before', () => {
    addon!.choose('sse2');
    expect(() => addon!.setMatmulPrecision('AVX512-BF16')).toThrow(RangeError);
    expect(() => addon!.setMatmulPrecision('emulation')).toThrow(/have no such products/);
    const ones = new Float32Array(25).fill(1 + 2 ** -9); // rounds to 1 in bf16
    const sizes = { m: 5, n: 5, depth: 5, transposeA: false, transposeB: false };
    expect(product(ones, ones, sizes)[0]).toBeGreaterThan(5);
  });
});
