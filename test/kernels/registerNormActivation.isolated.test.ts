import { beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '#src/config';
import { selectEngine, tf } from '#src/engine';
import { ConfigError } from '#src/errors';
import { type NormActivation, normActivationNames, pattention, registerNormActivation } from '#src/kernels';
import { createStack, TokenFormerConfig } from '#src/tokenformer';
import { relativeError } from '../support/closeness.js';
import { randomValues } from '../support/randomValues.js';

const [tokens, dIn, n, dOut] = [5, 4, 6, 3];
const stack = { dModel: 8, numLayers: 1, numHeads: 2, qkvParamTokens: 3, outputParamTokens: 5, ffnParamTokens: 4 };

/** τ tanh(A), without a gradient of its own. */
const scaledTanh: NormActivation = {
  name: 'scaledTanh',
  description: 'tanh of the scores, times τ',
  equation: 'Θ(A) = τ tanh(A)',
  weights: (scores, { tau }) => tf.mul(tf.tanh(scores), tau),
  tau: (numParamTokens) => 2 * numParamTokens,
  exactZeroKeys: true,
};
const withGradient: NormActivation = {
  ...scaledTanh,
  name: 'scaledTanhByHand',
  gradient: (dWeights, scores, { tau }) => tf.mul(dWeights, tf.mul(tf.sub(1, tf.square(tf.tanh(scores))), tau)),
};
/** TensorFlow.js has no gradient for a comparison. */
const step: NormActivation = {
  ...scaledTanh,
  name: 'step',
  weights: (scores) => tf.cast(tf.greater(scores, 0), 'float32'),
};

const inputs = (): tf.Tensor2D[] => [
  tf.tensor2d(randomValues(tokens * dIn, 'register', 'x'), [tokens, dIn]),
  tf.tensor2d(randomValues(n * dIn, 'register', 'k'), [n, dIn]),
  tf.tensor2d(randomValues(n * dOut, 'register', 'v'), [n, dOut]),
];

const run = (normActivation: string, args: readonly tf.Tensor[]): tf.Tensor2D => {
  const [x, keys, values] = args as tf.Tensor2D[];
  return pattention(x, keys, values, { normActivation, gelu: 'erf', epsilon: 0, tau: 1.5 });
};

function problemsOf(entry: unknown): readonly string[] | string {
  try {
    registerNormActivation(entry as NormActivation);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error('expected a ConfigError, got none');
}

describe('a registered norm activation', () => {
  beforeAll(async () => {
    await selectEngine('cpu');
    for (const entry of [scaledTanh, withGradient, step]) registerNormActivation(entry);
  });

  it('is listed after the built-in ones', () => {
    expect(normActivationNames().slice(3)).toEqual(['scaledTanh', 'scaledTanhByHand', 'step']);
  });

  it('is what Pattention computes', () => {
    const [x, keys, values] = inputs();
    const expected = tf.matMul(tf.mul(tf.tanh(tf.matMul(x, keys, false, true)), 1.5), values);
    expect([...run('scaledTanh', [x, keys, values]).dataSync()]).toEqual([...expected.dataSync()]);
  });

  it('is differentiated by TensorFlow.js where it has no gradient of its own', () => {
    const gradients = (name: string): tf.Tensor[] =>
      tf.grads((...args: tf.Tensor[]) => tf.sum(tf.square(run(name, args))))(inputs());
    const byHand = gradients('scaledTanhByHand');
    for (const [i, gradient] of gradients('scaledTanh').entries()) {
      expect(relativeError(gradient.dataSync(), byHand[i].dataSync())).toBeLessThan(1e-6);
    }
  });

  it('leaves nothing in memory, and the tape of the pass around it as it was', () => {
    const [x, keys, values] = inputs();
    // Two layers: the pass goes on after the gradient inside its first backward step.
    const loss = (a: tf.Tensor): tf.Scalar =>
      tf.sum(
        run('scaledTanh', [
          tf.matMul(run('scaledTanh', [a, keys, values]), values, false, true).slice([0, 0], [-1, dIn]),
          keys,
          values,
        ]),
      );
    const once = (): void => tf.tidy(() => void tf.grad(loss)(x));
    once();
    const before = tf.memory().numTensors;
    once();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('says what to do where TensorFlow.js cannot differentiate it', () => {
    expect(() => tf.grads((...args: tf.Tensor[]) => tf.sum(run('step', args)))(inputs())).toThrow(
      "norm activation 'step': expected weights that TensorFlow.js can differentiate, or a gradient: Cannot compute gradient",
    );
  });

  it('may be named in a configuration, and gives τ by its rule', () => {
    const config = parseConfig({ ...stack, normActivation: 'scaledTanh' }, TokenFormerConfig, 'stack');
    const tensors = createStack('language', config, 1);
    expect(tensors.get('block0/attention/output/language/tau')?.values[0]).toBe(10);
  });

  it('is among the names that a configuration with another one is told of', () => {
    expect(() => parseConfig({ ...stack, normActivation: 'scaledTan' }, TokenFormerConfig, 'stack')).toThrow(
      "stack: 'normActivation': expected l2NormGelu, geluL2Norm, softmax, scaledTanh, scaledTanhByHand, step; got 'scaledTan' (did you mean 'scaledTanh'?)",
    );
  });

  it.each(['softmax', 'scaledTanh', 'linear'])('may not be called %s, which is taken', (name) => {
    expect(problemsOf({ ...scaledTanh, name })).toMatch(
      `norm activation '${name}': expected a new name; taken: l2NormGelu`,
    );
  });

  it('is refused with every field that is missing, wrong or unknown', () => {
    const { weights: _, ...rest } = scaledTanh;
    expect(problemsOf({ ...rest, name: 'Two words', exactZeroKeys: 'yes', unionTao: () => 1 })).toEqual([
      "norm activation 'Two words': name: expected a name in camelCase, got string",
      "norm activation 'Two words': weights: expected a function, got undefined",
      "norm activation 'Two words': exactZeroKeys: expected true or false, got string",
      expect.stringContaining("unknown field 'unionTao' (did you mean 'unionTau'?); known: name, description"),
    ]);
  });
});
