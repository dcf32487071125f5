import { beforeAll, describe, expect, it } from 'vitest';
import { selectEngine, tf } from '#src/engine';
import { gelu, type PattentionSettings, pattention } from '#src/kernels';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { dot } from '../support/dot.js';
import { type Activation, directionalDerivative, matrix, pattention as plainPattention } from '../support/float64.js';
import { randomValues } from '../support/randomValues.js';

const [tokens, dIn, n, dOut] = [5, 4, 6, 3];
const xs = randomValues(tokens * dIn, 'pattention', 'x');
const ks = randomValues(n * dIn, 'pattention', 'k');
const vs = randomValues(n * dOut, 'pattention', 'v');
const dys = randomValues(tokens * dOut, 'pattention', 'dy');

const settings = (normActivation: PattentionSettings['normActivation'], given: Partial<PattentionSettings> = {}) => ({
  normActivation,
  gelu: 'erf' as const,
  epsilon: 0,
  tau: normActivation === 'softmax' ? n : Math.sqrt(n),
  ...given,
});

const modes: [string, PattentionSettings][] = [
  ['l2NormGelu', settings('l2NormGelu')],
  ['l2NormGelu, tanh, epsilon', settings('l2NormGelu', { gelu: 'tanh', epsilon: 1e-2 })],
  ['l2NormGelu, another tau', settings('l2NormGelu', { tau: 0.7 })],
  ['geluL2Norm', settings('geluL2Norm')],
  ['geluL2Norm, tanh, epsilon', settings('geluL2Norm', { gelu: 'tanh', epsilon: 1e-2 })],
  ['softmax', settings('softmax')],
  ['softmax, another tau', settings('softmax', { tau: 2.5 })],
];

function inputs(): [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D] {
  return [tf.tensor2d(xs, [tokens, dIn]), tf.tensor2d(ks, [n, dIn]), tf.tensor2d(vs, [n, dOut])];
}

function plain(x: ArrayLike<number>, k: ArrayLike<number>, v: ArrayLike<number>, given: PattentionSettings) {
  const activation = given.normActivation as Activation;
  return plainPattention(matrix(tokens, dIn, x), matrix(n, dIn, k), matrix(n, dOut, v), { ...given, activation }).data;
}

/** The definition in operations that TensorFlow.js can differentiate; `divNoNan`, which the reference takes, is none. */
function definition(x: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, given: PattentionSettings): tf.Tensor {
  const { normActivation, epsilon, tau } = given;
  const scores = tf.matMul(x, keys, false, true);
  if (normActivation === 'softmax') return tf.matMul(tf.mul(tf.softmax(scores), tau), values);
  const normed = (t: tf.Tensor): tf.Tensor =>
    tf.div(tf.mul(t, tau), tf.add(tf.sqrt(tf.sum(tf.square(t), -1, true)), epsilon));
  const weights = normActivation === 'geluL2Norm' ? normed(gelu(scores, given.gelu)) : gelu(normed(scores), given.gelu);
  return tf.matMul(weights, values);
}

/** Σ y dy, whose gradients are those of the backward pass under dy. */
function weighted(y: tf.Tensor): tf.Scalar {
  return tf.sum(tf.mul(y, tf.tensor2d(dys, [tokens, dOut])));
}

describeEachEngine('pattention', () => {
  it.each([
    ['l2NormGelu', 'erf', 0, [8.970181, 11.320086]],
    ['geluL2Norm', 'erf', 0, [10.220835, 12.950745]],
    ['softmax', 'erf', 0, [12.451262, 15.451262]],
    ['l2NormGelu', 'tanh', 1e-5, [8.968593, 11.318117]],
  ] as const)('gives the known result of %s with %s', (normActivation, gelu, epsilon, expected) => {
    const x = tf.tensor2d([[1, 2]]);
    const keys = tf.tensor2d([
      [1, 0],
      [0, 1],
      [1, 1],
    ]);
    const values = tf.tensor2d([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    const tau = normActivation === 'softmax' ? 3 : Math.sqrt(3);
    const y = pattention(x, keys, values, { normActivation, gelu, epsilon, tau });
    // The vectors carry six decimals: at most 5e-8 of the largest. Measured 3e-8 to 2e-7.
    expect(relativeError(y.dataSync(), expected)).toBeLessThan(1e-6);
  });

  it.each(modes)('equals the formula in float64: %s', (_, given) => {
    const y = pattention(...inputs(), given);
    // Measured 5e-8 to 6e-7; TensorFlow.js computes erf to 1.5e-7.
    expect(relativeError(y.dataSync(), plain(xs, ks, vs, given))).toBeLessThan(3e-6);
  });

  it.each(modes)('has the gradients of its definition, differentiated op by op: %s', (_, given) => {
    const closed = tf.grads((x, k, v) =>
      weighted(pattention(x as tf.Tensor2D, k as tf.Tensor2D, v as tf.Tensor2D, given)),
    )(inputs());
    const byOps = tf.grads((x, k, v) => weighted(definition(x, k, v, given)))(inputs());
    for (const [i, gradient] of closed.entries()) {
      // Measured 4e-7: float32 in another order.
      expect(relativeError(gradient.dataSync(), byOps[i].dataSync())).toBeLessThan(3e-6);
    }
  });

  it.each(modes)('has the directional derivative of the formula: %s', (_, given) => {
    const flat = Float64Array.from([...xs, ...ks, ...vs]);
    const direction = randomValues(flat.length, 'pattention', 'direction');
    const f = (all: Float64Array): number =>
      dot(
        plain(all.slice(0, xs.length), all.slice(xs.length, xs.length + ks.length), all.slice(-vs.length), given),
        dys,
      );
    const gradients = tf.grads((x, k, v) =>
      weighted(pattention(x as tf.Tensor2D, k as tf.Tensor2D, v as tf.Tensor2D, given)),
    )(inputs());
    const slope = dot(
      gradients.flatMap((gradient) => [...gradient.dataSync()]),
      direction,
    );
    // Measured 3e-8 to 4e-7.
    expect(relativeError([slope], [directionalDerivative(f, flat, direction)])).toBeLessThan(1e-4);
  });

  it.each(modes)('gives numbers, not NaN, for a token of zeros and for zero keys: %s', (_, given) => {
    const x = tf.tensor2d([...new Float32Array(dIn), ...xs.slice(dIn)], [tokens, dIn]);
    const [, , v] = inputs();
    for (const keys of [tf.tensor2d(ks, [n, dIn]), tf.zeros([n, dIn]) as tf.Tensor2D]) {
      const y = pattention(x, keys, v, given);
      const gradients = tf.grads((a, k, b) =>
        weighted(pattention(a as tf.Tensor2D, k as tf.Tensor2D, b as tf.Tensor2D, given)),
      )([x, keys, v]);
      for (const tensor of [y, ...gradients]) expect([...tensor.dataSync()].every(Number.isFinite)).toBe(true);
      const expected = given.normActivation === 'softmax' ? v.mean(0).mul(given.tau).dataSync() : [0, 0, 0];
      expect(relativeError(y.slice([0, 0], [1, dOut]).dataSync(), expected)).toBeLessThan(1e-6);
    }
  });

  it('softmax of scores of ±1e4 does not overflow', () => {
    const x = tf.tensor2d([[1e4]]);
    const keys = tf.tensor2d([[1], [-1], [0.5]]);
    const values = tf.tensor2d([[2], [3], [4]]);
    const softmax = settings('softmax', { tau: 3 });
    const y = pattention(x, keys, values, softmax);
    expect([...y.dataSync()]).toEqual([6]);
    const gradients = tf.grads((a, k, v) =>
      tf.sum(pattention(a as tf.Tensor2D, k as tf.Tensor2D, v as tf.Tensor2D, softmax)),
    );
    for (const gradient of gradients([x, keys, values])) {
      expect([...gradient.dataSync()].every(Number.isFinite)).toBe(true);
    }
  });

  it('l2NormGelu does not mind the scale of the keys', () => {
    const [x, k, v] = inputs();
    const y = pattention(x, k, v, settings('l2NormGelu')).dataSync();
    const scaled = pattention(x, k.mul(37), v, settings('l2NormGelu')).dataSync();
    expect(relativeError(scaled, y)).toBeLessThan(1e-6);
  });

  it('is zero-key growth that keeps the function when tau stays, and not when it grows', () => {
    const [x, k, v] = inputs();
    const grownKeys = tf.concat([k, tf.zeros([4, dIn])]) as tf.Tensor2D;
    const grownValues = tf.concat([v, tf.ones([4, dOut])]) as tf.Tensor2D;
    const before = pattention(x, k, v, settings('l2NormGelu')).dataSync();
    const kept = pattention(x, grownKeys, grownValues, settings('l2NormGelu')).dataSync();
    const changed = pattention(x, grownKeys, grownValues, settings('l2NormGelu', { tau: Math.sqrt(n + 4) })).dataSync();
    expect(relativeError(kept, before)).toBeLessThan(1e-6);
    expect(relativeError(changed, before)).toBeGreaterThan(0.1);
  });

  it('computes only the wanted gradients, and those no differently', () => {
    const given = settings('l2NormGelu');
    const run = (input: boolean, params: boolean) => {
      const [x, k, v] = inputs();
      const variables = { x: tf.variable(x), k: tf.variable(k), v: tf.variable(v) };
      const { grads } = tf.variableGrads(
        () =>
          weighted(
            pattention(
              variables.x as tf.Tensor as tf.Tensor2D,
              variables.k as tf.Tensor as tf.Tensor2D,
              variables.v as tf.Tensor as tf.Tensor2D,
              given,
              { input, params },
            ),
          ),
        Object.values(variables),
      );
      return Object.values(variables).map(({ name }) => (grads[name] == null ? null : [...grads[name].dataSync()]));
    };
    const [dx, dk, dv] = run(true, true);
    expect(run(true, false)).toEqual([dx, null, null]);
    expect(run(false, true)).toEqual([null, dk, dv]);
  });

  it('says which shapes do not fit', () => {
    const [x, k, v] = inputs();
    expect(() => pattention(x, v, k, settings('l2NormGelu'))).toThrow(
      'pattention: expected x [tokens, dIn], keys [n, dIn], values [n, dOut]; got x [5,4], keys [6,3], values [6,4]',
    );
  });
});

describe('pattention without a kernel of its own', () => {
  beforeAll(async () => {
    await selectEngine('cpu');
  });

  it.each([
    [true, true, 6],
    [true, false, 4],
    [false, true, 5],
  ])('with input %s and params %s runs %i matrix products forward and back', async (input, params, products) => {
    const [x, k, v] = inputs();
    const differentiated = input ? x : k;
    const { kernels } = await tf.profile(() =>
      tf.grad((t) => {
        const args: [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D] = input
          ? [t as tf.Tensor2D, k, v]
          : [x, t as tf.Tensor2D, v];
        return weighted(pattention(...args, settings('l2NormGelu'), { input, params }));
      })(differentiated),
    );
    expect(kernels.filter(({ name }) => name === 'BatchMatMul')).toHaveLength(products);
  });
});
