import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HostTensor } from '#src/storage';
import { float16Bits, float16Table } from '../../web/weights/float16.js';
import { decodeWeights, encodeWeights, fitsFloat16 } from '../../web/weights/index.js';
import { randomValues } from '../support/randomValues.js';

const table = float16Table();

describe('float16', () => {
  it.each([
    [0, 0x0000],
    [-0, 0x8000],
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [65519.99, 0x7bff],
    [65520, 0x7c00],
    [2 ** -14, 0x0400],
    [2 ** -24, 0x0001],
    [2 ** -25, 0x0000],
    [1.0001 * 2 ** -25, 0x0001],
    [1 / 3, 0x3555],
    // Halfway between two: the even one.
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
  ])('has the bits of %f', (number, bits) => {
    expect(float16Bits(number)).toBe(bits);
  });

  it('gives every number of its own back', () => {
    const finite = Array.from({ length: 65536 }, (_, bits) => bits).filter((bits) => Number.isFinite(table[bits]));
    expect(finite).toHaveLength(65536 - 2 * 1024);
    expect(finite.filter((bits) => float16Bits(table[bits]) !== bits)).toEqual([]);
  });

  it('is the nearest one', () => {
    fc.assert(
      fc.property(fc.float({ min: -65504, max: 65504, noNaN: true }), (number) => {
        const bits = float16Bits(number);
        const error = Math.abs(table[bits] - number);
        for (const other of [bits - 1, bits + 1]) {
          const beside = table[other & 0xffff];
          if (Number.isFinite(beside)) expect(error).toBeLessThanOrEqual(Math.abs(beside - number));
        }
      }),
    );
  });
});

describe('stored weights', () => {
  const tensor = (shape: number[], name: string): HostTensor => ({
    shape,
    values: randomValues(
      shape.reduce((product, size) => product * size, 1),
      'stored',
      name,
    ),
  });
  const tensors = new Map([
    ['tau', { shape: [], values: Float32Array.of(9.797959) }],
    ['norm', tensor([7], 'norm')],
    ['keys', tensor([5, 9], 'keys')],
    ['zeros', { shape: [2, 3], values: new Float32Array(6) }],
  ]);

  it.each([
    ['float32', 0, 4 * (1 + 7 + 45 + 6)],
    ['float16', 2 ** -11, 4 + 16 + 92 + 12],
    ['int8', 0.5 / 127, 4 + 16 + (20 + 48) + (8 + 8)],
  ] as const)('in %s lose no more than half a step', (precision, step, bytes) => {
    const { stored, shards } = encodeWeights(tensors, precision);
    expect(stored.shards.map((shard) => shard.bytes)).toEqual([bytes]);
    const decoded = decodeWeights(stored, shards);
    expect([...decoded.keys()]).toEqual([...tensors.keys()]);
    let worst = 0;
    for (const [name, { shape, values }] of tensors) {
      const found = decoded.get(name)!;
      expect(found.shape).toEqual(shape);
      const width = shape.at(-1) ?? 1;
      for (const [i, value] of values.entries()) {
        const row = values.subarray(i - (i % width), i - (i % width) + width);
        const unit = precision === 'int8' ? Math.max(...row.map(Math.abs)) : Math.abs(value);
        if (unit > 0) worst = Math.max(worst, Math.abs(found.values[i] - value) / unit);
        else expect(found.values[i]).toBe(0);
      }
    }
    expect(worst).toBeLessThanOrEqual(step * 1.0001);
    expect(decoded.get('tau')?.values).toEqual(Float32Array.of(9.797959));
  });

  it('of several files are found again', () => {
    const large = new Map(['a', 'b', 'c'].map((name) => [name, tensor([600, 1000], name)]));
    const { stored, shards } = encodeWeights(large, 'float32');
    expect(stored.shards.map(({ file }) => file)).toEqual(['weights-1.bin', 'weights-2.bin', 'weights-3.bin']);
    const decoded = decodeWeights(stored, shards);
    const changed = [...large].filter(([name, { values }]) => {
      const found = decoded.get(name)?.values;
      return !values.every((value, i) => value === found?.[i]);
    });
    expect(changed).toEqual([]);
  });

  it('that are not those that were written are refused', () => {
    const { stored, shards } = encodeWeights(tensors, 'float16');
    const damaged = shards[0].slice();
    damaged[30] ^= 1;
    expect(() => decodeWeights(stored, [damaged])).toThrow('weights-1.bin: expected the');
    expect(() => decodeWeights(stored, [shards[0].subarray(1)])).toThrow('weights-1.bin');
    expect(() => decodeWeights(stored, [])).toThrow('weights-1.bin');
  });

  it('keep a tensor beyond the range of float16 in float32', () => {
    const far = new Map([['keys', { shape: [1, 2], values: Float32Array.of(70000, 1) }]]);
    expect(fitsFloat16(tensors)).toBe(true);
    expect(fitsFloat16(far)).toBe(false);
    const { stored, shards } = encodeWeights(far, 'float16');
    expect(stored.tensors[0].precision).toBe('float32');
    expect(decodeWeights(stored, shards).get('keys')?.values).toEqual(Float32Array.of(70000, 1));
  });
});
