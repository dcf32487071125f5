import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { type PattentionGroup, pattentionGroups, pattentionGroupsReference } from '#src/kernels';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { matrix, pattention as plainPattention } from '../support/float64.js';
import { randomValues } from '../support/randomValues.js';

const [tokens, dIn, dOut] = [7, 5, 6];
const settings = { normActivation: 'l2NormGelu', gelu: 'erf', epsilon: 1e-5 } as const;
const sizes = [4, 9, 3];
const xs = randomValues(tokens * dIn, 'pattentionGroups', 'x');
const keysOf = (n: number): Float32Array => randomValues(n * dIn, 'pattentionGroups', 'keys', n);
const valuesOf = (n: number): Float32Array => randomValues(n * dOut, 'pattentionGroups', 'values', n);
const dOutput = (): tf.Tensor => tf.tensor2d(randomValues(tokens * dOut, 'pattentionGroups', 'dy'), [tokens, dOut]);

const input = (): tf.Tensor2D => tf.tensor2d(xs, [tokens, dIn]);
const groupsOf = (tensors: readonly tf.Tensor[], trainable = [true, true, true]): PattentionGroup[] =>
  sizes.map((n, i) => ({
    keyParamTokens: tensors[2 * i] as tf.Tensor2D,
    valueParamTokens: tensors[2 * i + 1] as tf.Tensor2D,
    tau: Math.sqrt(n),
    trainable: trainable[i],
  }));
/** Keys and values of group 0, of group 1, … */
const parameters = (): tf.Tensor[] =>
  sizes.flatMap((n) => [tf.tensor2d(keysOf(n), [n, dIn]), tf.tensor2d(valuesOf(n), [n, dOut])]);

describeEachEngine('pattentionGroups', () => {
  it('is the sum of the formula in float64 over the groups', () => {
    const outputs = sizes.map((n) => {
      const math = { activation: settings.normActivation, tau: Math.sqrt(n), epsilon: 1e-5, gelu: settings.gelu };
      return plainPattention(matrix(tokens, dIn, xs), matrix(n, dIn, keysOf(n)), matrix(n, dOut, valuesOf(n)), math);
    });
    const expected = outputs[0].data.map((value, i) => value + outputs[1].data[i] + outputs[2].data[i]);
    // Measured 2e-7.
    expect(
      relativeError(pattentionGroups(input(), groupsOf(parameters()), settings).dataSync(), expected),
    ).toBeLessThan(2e-6);
  });

  it('has the gradients of the groups one by one', () => {
    const gradients = (op: typeof pattentionGroups): tf.Tensor[] =>
      tf.grads((...args: tf.Tensor[]) => op(args[0] as tf.Tensor2D, groupsOf(args.slice(1)), settings))(
        [input(), ...parameters()],
        dOutput(),
      );
    const expected = gradients(pattentionGroupsReference);
    for (const [i, gradient] of gradients(pattentionGroups).entries()) {
      // Measured 5e-8.
      expect(relativeError(gradient.dataSync(), expected[i].dataSync())).toBeLessThan(1e-6);
    }
  });

  it.each([
    [true, [false, true, true]],
    [false, [true, false, true]],
    [true, [false, false, false]],
  ])('differentiates what is wanted: the input %s, groups %s', (inputNeedsGradient, trainable) => {
    const all = tf.grads((...args: tf.Tensor[]) =>
      pattentionGroups(args[0] as tf.Tensor2D, groupsOf(args.slice(1)), settings),
    )([input(), ...parameters()], dOutput());
    const x = tf.variable(input());
    const variables = parameters().map((tensor) => tf.variable(tensor));
    const asked = [...(inputNeedsGradient ? [x] : []), ...variables.filter((_, i) => trainable[Math.floor(i / 2)])];
    const { grads } = tf.variableGrads(
      () =>
        tf.sum(
          tf.mul(
            pattentionGroups(
              x as tf.Tensor as tf.Tensor2D,
              groupsOf(variables, trainable),
              settings,
              inputNeedsGradient,
            ),
            dOutput(),
          ),
        ),
      asked,
    );
    for (const variable of asked) {
      const expected = all[[x, ...variables].indexOf(variable)];
      expect(relativeError(grads[variable.name].dataSync(), expected.dataSync())).toBeLessThan(1e-6);
    }
    tf.dispose([x, ...variables]);
  });

  it('takes a single token', () => {
    const one = tf.slice(input(), [2, 0], [1, dIn]);
    const all = pattentionGroups(input(), groupsOf(parameters()), settings);
    const expected = tf.slice(all, [2, 0], [1, dOut]).dataSync();
    expect(relativeError(pattentionGroups(one, groupsOf(parameters()), settings).dataSync(), expected)).toBeLessThan(
      1e-6,
    );
  });

  it('names the shapes that disagree', () => {
    const [keys, values, ...others] = parameters();
    const narrow = groupsOf([keys, tf.slice(values, [0, 0], [3, -1]), ...others]);
    expect(() => pattentionGroups(input(), narrow, settings)).toThrow('got x [7,5], keys [4,5], values [3,6]');
  });
});
