import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { findNormActivation, pattention } from '#src/kernels';
import { l2NormRelu2, train } from '../../docs/examples/normActivation.js';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { dot } from '../support/dot.js';
import { directionalDerivative, mapRows, matrix, multiply, transpose } from '../support/float64.js';
import { randomValues } from '../support/randomValues.js';

const [tokens, dIn, n, dOut] = [5, 4, 6, 3];
const xs = randomValues(tokens * dIn, 'examples', 'x');
const ks = randomValues(n * dIn, 'examples', 'keys');
const vs = randomValues(n * dOut, 'examples', 'values');
const dys = randomValues(tokens * dOut, 'examples', 'dy');
const settings = { normActivation: l2NormRelu2.name, gelu: 'erf', epsilon: 1e-2, tau: l2NormRelu2.tau(n) } as const;

const inputs = (): tf.Tensor2D[] => [
  tf.tensor2d(xs, [tokens, dIn]),
  tf.tensor2d(ks, [n, dIn]),
  tf.tensor2d(vs, [n, dOut]),
];
const run = ([x, keys, values]: readonly tf.Tensor[]): tf.Tensor2D =>
  pattention(x as tf.Tensor2D, keys as tf.Tensor2D, values as tf.Tensor2D, settings);

/** Its formula in float64. */
function formula(x: ArrayLike<number>, keys: ArrayLike<number>, values: ArrayLike<number>): Float64Array {
  const scores = multiply(matrix(tokens, dIn, x), transpose(matrix(n, dIn, keys)));
  const weights = mapRows(scores, (row) => {
    const norm = Math.hypot(...row) + settings.epsilon;
    return row.map((score) => Math.max(0, (settings.tau * score) / norm) ** 2);
  });
  return multiply(weights, matrix(n, dOut, values)).data;
}

describeEachEngine('docs/examples/normActivation.ts', () => {
  it('computes its equation', () => {
    // Measured 2e-7.
    expect(relativeError(run(inputs()).dataSync(), formula(xs, ks, vs))).toBeLessThan(2e-6);
  });

  it('has the gradient of a central difference', () => {
    const flat = Float64Array.from([...xs, ...ks, ...vs]);
    const direction = randomValues(flat.length, 'examples', 'direction');
    const gradients = tf.grads((...args: tf.Tensor[]) => run(args))(inputs(), tf.tensor2d(dys, [tokens, dOut]));
    const slope = dot(
      gradients.flatMap((gradient) => [...gradient.dataSync()]),
      direction,
    );
    const f = (all: Float64Array): number =>
      dot(formula(all.slice(0, xs.length), all.slice(xs.length, -vs.length), all.slice(-vs.length)), dys);
    // Measured 1e-6.
    expect(relativeError([slope], [directionalDerivative(f, flat, direction)])).toBeLessThan(1e-5);
  });

  it('trains: the loss falls with every step', async () => {
    const lines: string[] = [];
    const losses = await train(8, (line) => lines.push(line));
    expect(losses[0]).toBeCloseTo(Math.log(128), 1);
    expect(losses.every((value, i) => i === 0 || value < losses[i - 1])).toBe(true);
    expect(losses[7]).toBeLessThan(0.7 * losses[0]);
    expect(lines).toEqual(losses.map((value, i) => `step ${i + 1}: loss ${value.toFixed(3)}`));
  });

  it('is exact under zero keys, as it says, and finite for a row of zeros', () => {
    const weights = (row: number[]): number[] => [
      ...findNormActivation('l2NormRelu2')
        .weights(tf.tensor2d([row]), settings)
        .dataSync(),
    ];
    expect(l2NormRelu2.exactZeroKeys).toBe(true);
    expect(weights([1, -2, 3, 0, 0])).toEqual([...weights([1, -2, 3]), 0, 0]);
    expect(weights([0, 0])).toEqual([0, 0]);
  });
});
