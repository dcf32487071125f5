import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { gelu, geluDerivative } from '#src/kernels';
import { describeEachEngine } from '../engine/eachEngine.js';
import { numericGradient, gelu as plainGelu } from '../support/float64.js';

const points = Array.from({ length: 49 }, (_, i) => (i - 24) / 4);

describeEachEngine('gelu', () => {
  it.each(['erf', 'tanh'] as const)('equals the formula in float64: %s', (kind) => {
    const values = gelu(tf.tensor1d(points), kind).dataSync();
    // Measured 1.4e-6 for erf at z = 5 and beyond (z times the 1.5e-7 of TensorFlow.js), 3e-7 for tanh.
    for (const [i, z] of points.entries()) expect(Math.abs(values[i] - plainGelu(z, kind))).toBeLessThan(3e-6);
  });

  it.each(['erf', 'tanh'] as const)('geluDerivative equals the slope of the formula: %s', (kind) => {
    const slopes = geluDerivative(tf.tensor1d(points), kind).dataSync();
    for (const [i, z] of points.entries()) {
      const [slope] = numericGradient(([value]) => plainGelu(value, kind), [z]);
      // Measured 4e-7; 2.8e-6 on tensorflow, whose tanh is less exact.
      expect(Math.abs(slopes[i] - slope)).toBeLessThan(5e-6);
    }
  });

  it('is exactly zero at zero, so that zero keys add nothing', () => {
    for (const kind of ['erf', 'tanh'] as const) expect(gelu(tf.tensor1d([0]), kind).dataSync()[0]).toBe(0);
  });

  it('stays finite far out', () => {
    for (const kind of ['erf', 'tanh'] as const) {
      const far = tf.tensor1d([-1e4, 1e4]);
      const [low, high] = gelu(far, kind).dataSync();
      // 1e4 times the 3e-8 by which wasm's erf misses −1.
      expect(Math.abs(low)).toBeLessThan(1e-3);
      expect(high).toBe(1e4);
      const [lowSlope, highSlope] = geluDerivative(far, kind).dataSync();
      expect(Math.abs(lowSlope)).toBeLessThan(1e-7);
      expect(highSlope).toBe(1);
    }
  });
});
