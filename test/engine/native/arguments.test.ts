import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { selectEngine, tf } from '#src/engine';
import type { Addon } from '../../../src/engine/native/addon.js';
import { addon } from '../../support/kernelComparison.js';

describe.skipIf(addon === undefined)('wrong arguments are JavaScript errors', () => {
  const floats = new Float32Array(4);
  const detached = (): Float32Array => {
    const array = new Float32Array(4);
    structuredClone(array.buffer, { transfer: [array.buffer] });
    return array;
  };
  beforeAll(async () => {
    await selectEngine('native');
  });

  it.each<[string, unknown[], RegExp]>([
    ['none at all', [], /operation: expected an argument, got none/],
    ['one too few', [0, 4, floats], /output: expected an argument, got none/],
    ['one too many', [0, 4, floats, floats, 1], /arguments: expected 4, got 5/],
    ['an unknown operation', [99, 4, floats, floats], /operation: expected a whole number in \[0, 14\], got 99/],
    ['a negative size', [0, -1, floats, floats], /count: expected a whole number/],
    ['half a size', [0, 1.5, floats, floats], /count: expected a whole number/],
    ['no number', [0, Number.NaN, floats, floats], /count: expected a whole number/],
    ['a size beyond memory', [0, 2 ** 60, floats, floats], /count: expected a whole number/],
    ['an array that is too short', [0, 5, floats, floats], /x: expected at least 5 numbers, got 4/],
    ['a detached array', [0, 4, detached(), floats], /x: expected at least 4 numbers, got 0/],
    ['doubles', [0, 4, new Float64Array(4), floats], /x: expected a Float32Array/],
    ['whole numbers', [0, 4, new Int32Array(4), floats], /x: expected a Float32Array/],
    ['no array', [0, 4, {}, floats], /x: expected a typed array/],
    ['nothing for an array', [0, 4, undefined, floats], /x: expected a typed array/],
  ])('%s', (_, args, message) => {
    expect(() => (addon!.unary as (...all: unknown[]) => void)(...args)).toThrow(message);
  });

  it.each<[string, unknown[], RegExp]>([
    ['no list', [floats, floats], /tensors: expected an array of arrays, got something else/],
    ['a list of numbers', [[1], floats], /tensors: expected a typed array, got something else/],
    ['a list of whole numbers', [[floats, new Int32Array(4)], floats], /tensors: expected a Float32Array/],
    ['no output', [[floats]], /output: expected an argument, got none/],
    ['an empty output', [[floats], new Float32Array(0)], /output: expected at least 1 numbers, got 0/],
  ])('lists: %s', (_, args, message) => {
    expect(() => (addon!.squaredNorm as (...all: unknown[]) => void)(...args)).toThrow(message);
  });

  it('lists of unequal lengths, arrays of unequal lengths, and lists that detach others while they are read', () => {
    const numbers = [1, 0.9, 0.1, 0.9, 0.1, 1, 1, 1];
    const step = (...lists: unknown[]): unknown =>
      (addon!.adamW as (...all: unknown[]) => void)(...numbers, ...lists, new Float32Array(1));
    expect(() => step([floats], [], [floats], [floats])).toThrow(/gradients: expected 1 arrays, got 0/);
    expect(() => step([floats], [floats], [new Float32Array(3)], [floats])).toThrow(/m: expected at least 4 numbers/);
    const param = new Float32Array(4);
    const trap = Object.defineProperty([], 0, {
      get: () => {
        structuredClone(param.buffer, { transfer: [param.buffer] });
        return floats;
      },
    });
    expect(() => step([param], [floats], [floats], trap)).not.toThrow();
    expect(param).toHaveLength(0);
  });

  it('a list whose entries call a kernel when they are read', () => {
    const output = new Float32Array(1);
    const trap = Object.defineProperty([], 0, {
      get: () => {
        addon!.squaredNorm([Float32Array.of(3, 4)], output);
        return Float32Array.of(...output, 0);
      },
    });
    addon!.squaredNorm(trap as Float32Array<ArrayBuffer>[], output);
    expect(output[0]).toBe(25 ** 2);
  });

  it('a list whose entries throw, or that is too long', () => {
    const trap = Object.defineProperty([], 0, {
      get: () => {
        throw new Error('not now');
      },
    });
    expect(() => addon!.squaredNorm(trap as Float32Array<ArrayBuffer>[], floats)).toThrow('not now');
    expect(() => addon!.squaredNorm(new Array(2 ** 32 - 1), floats)).toThrow(/list: expected at most 1048576 arrays/);
    addon!.squaredNorm([floats], new Float32Array(1));
  });

  it.each<[keyof Addon, unknown[]]>([
    ['softmax', [2 ** 32, 0, floats, floats]],
    ['sumColumns', [2 ** 40, 1, 0, 1, floats, floats]],
    ['segmentSum', [4, 0, 2 ** 40, floats, new Int32Array(4), floats]],
    ['gatherRows', [2 ** 40, 1, 0, 0, 1, floats, new Int32Array(1), floats]],
    ['gatherRows', [2 ** 40, 2 ** 40, 1, 1, 0, floats, new Int32Array(1), floats]],
    ['matMul', [2 ** 40, 1, 0, 1, false, false, true, true, false, floats, floats, floats]],
    ['pattention', [2 ** 40, 0, 0, 0, 0, false, 1e-5, 1, false, floats, floats, floats, floats, floats]],
    ['attention', [2 ** 40, 1, 1, 0, 1, 0, 0, true, floats, floats, floats, undefined, floats, floats]],
    ['rotary', [2 ** 40, 1, 1, 0, 0, floats, floats, floats]],
  ])('%s of nothing ends at once, however often', (name, args) => {
    const started = performance.now();
    (addon![name] as (...all: unknown[]) => void)(...args);
    expect(performance.now() - started).toBeLessThan(1000);
  });

  it('work that has no end is refused', () => {
    const bytes = new Uint8Array(4);
    expect(() => addon!.copyRows(2 ** 40, 1, 0, 0, 0, 0, bytes, bytes)).toThrow(/toStride: expected at least 1/);
    expect(() =>
      addon!.linearCrossEntropy(1, 0, 2 ** 40, floats, floats, new Int32Array(1), floats, floats, undefined, undefined),
    ).toThrow(/dModel: expected at least 1/);
  });

  it.each(['packRows', 'unpackRows'] as const)('%s: lengths past the sequence, and rows that are not there', (name) => {
    const call = (lengths: number[], padded: number, packed: number): void =>
      addon![name](2, 3, 2, Int32Array.from(lengths), new Float32Array(padded), new Float32Array(packed));
    expect(() => call([3, 1], 12, 8)).not.toThrow();
    expect(() => call([4, 1], 12, 10)).toThrow(/lengths: expected in \[0, 3\], got 4/);
    expect(() => call([-1, 1], 12, 8)).toThrow(/lengths: expected in \[0, 3\], got -1/);
    expect(() => call([3], 12, 8)).toThrow(/lengths: expected at least 2 numbers, got 1/);
    expect(() => call([3, 1], 11, 8)).toThrow(/padded: expected at least 12 numbers, got 11/);
    expect(() => call([3, 1], 12, 7)).toThrow(/packed: expected at least 8 numbers, got 7/);
  });

  it('sizes whose product does not fit', () => {
    expect(() => addon!.softmax(2 ** 39, 2 ** 39, floats, floats)).toThrow(/past 2\^40/);
  });

  it('whatever is passed to whichever kernel, the process goes on', () => {
    const names = Object.keys(addon!).filter(
      (name) => !['setThreads', 'threads', 'physicalCores', 'scratchBytes', 'choose', 'alignment'].includes(name),
    ) as (keyof Addon)[];
    const argument = fc.oneof(
      fc.constantFrom<unknown>(0, 1, 2, 3, 4, true, false, undefined, null, 'x', -1, 1e12),
      fc.constantFrom(0, 1, 4, 8, 64).map((length) => new Float32Array(length)),
      fc.constantFrom(0, 1, 4, 8).map((length) => new Int32Array(length)),
      fc.constant(new Uint8Array(5)),
    );
    // Arguments of the right kind at the right place are rare by chance: sizes first, then arrays.
    const plausible = fc
      .tuple(
        fc.array(fc.oneof(fc.integer({ min: 0, max: 3 }), fc.boolean()), { minLength: 2, maxLength: 10 }),
        fc.array(
          fc.constantFrom(8, 64, 2).map((length) => new Float32Array(length)),
          { maxLength: 10 },
        ),
      )
      .map(([sizes, arrays]) => [...sizes, ...arrays] as unknown[]);
    fc.assert(
      fc.property(
        fc.constantFrom(...names),
        fc.oneof(fc.array(argument, { maxLength: 20 }), plausible),
        (name, args) => {
          try {
            (addon![name] as (...all: unknown[]) => void)(...args);
          } catch (error) {
            expect(error).toBeInstanceOf(Error);
          }
        },
      ),
      { numRuns: 5000, seed: 1 },
    );
  });

  it('a kernel of the wrong dtype or shape names what it expected', () => {
    const ints = tf.ones([2, 2], 'int32');
    const run = (name: string, inputs: Record<string, tf.Tensor>, attributes = {}): unknown =>
      tf.engine().runKernel(name, inputs as tf.NamedTensorMap, attributes);
    expect(() => tf.matMul(ints, ints)).toThrow(
      'BatchMatMul: expected float32 operands on native, got int32 and int32',
    );
    expect(() => run('LayerNormalize', { x: ints }, { epsilon: 0 })).toThrow(/x: expected a Float32Array/);
    expect(() => run('LayerNormalize', { x: tf.ones([4]) }, { epsilon: 0 })).toThrow('expected x with 2 axes, got [4]');
    const settings = { normActivation: 'softmax', gelu: 'erf', epsilon: 0, tau: 1 };
    const short = { x: tf.ones([2, 3]), keyParamTokens: tf.ones([2, 2]), valueParamTokens: tf.ones([2, 2]) };
    expect(() => run('Pattention', short, settings)).toThrow(/keyParamTokens: expected at least 6 numbers, got 4/);
    const heads = { q: tf.ones([1, 2, 5]), k: tf.ones([1, 2, 5]), v: tf.ones([1, 2, 5]) };
    expect(() => run('TokenAttention', heads, { numHeads: 2, prefixLen: 0, contextLen: 0 })).toThrow(/2 heads divide/);
    tf.disposeVariables();
  });
});
