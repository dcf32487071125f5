import { beforeAll, describe, expect, it } from 'vitest';
import { selectEngine, tf } from '#src/engine';
import { createRandom } from '#src/random';
import {
  createGroup,
  createStack,
  LAYER_NAMES,
  layerPath,
  ParameterTree,
  type PattentionLayer,
  pattentionLayer,
  readGroup,
  stackGroups,
  TokenFormerConfig,
} from '#src/tokenformer';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { randomValues } from '../support/randomValues.js';

const math = { normActivation: 'l2NormGelu', gelu: 'erf', normEpsilon: 0 } as const;
const [dIn, dOut, tokens] = [6, 5, 4];

function treeOf(groups: Record<string, number>): ParameterTree {
  const tree = new ParameterTree();
  for (const [name, numParamTokens] of Object.entries(groups)) {
    const init = { numParamTokens, dIn, dOut, keyStd: 0.5, valueStd: 0.5, tau: Math.sqrt(numParamTokens) };
    tree.add(createGroup('layer', name, init, createRandom(1, name)));
  }
  return tree;
}

function layerOf(tree: ParameterTree, names: string[], norm: 'own' | 'union' = 'own'): PattentionLayer {
  return names.map((name) => ({ group: readGroup(tree, 'layer', name), norm }));
}

const input = (): tf.Tensor2D => tf.tensor2d(randomValues(tokens * dIn, 'paramTokens', 'x'), [tokens, dIn]);

describeEachEngine('a layer of parameter-token groups', () => {
  it('adds up what its groups give alone', () => {
    const tree = treeOf({ a: 7, b: 3 });
    const both = pattentionLayer(input(), layerOf(tree, ['a', 'b']), math);
    const [a, b] = ['a', 'b'].map((name) => pattentionLayer(input(), layerOf(tree, [name]), math));
    expect(both.shape).toEqual([tokens, dOut]);
    expect(relativeError(both.dataSync(), tf.add(a, b).dataSync())).toBeLessThan(1e-6);
  });

  it('of one group is the same under both norms', () => {
    const tree = treeOf({ a: 7 });
    const byGroup = pattentionLayer(input(), layerOf(tree, ['a']), math).dataSync();
    const union = pattentionLayer(input(), layerOf(tree, ['a'], 'union'), math).dataSync();
    expect([...union]).toEqual([...byGroup]);
  });

  it('as a union is one group of all tokens, τ = √n', () => {
    const tree = treeOf({ a: 7, b: 3 });
    const union = pattentionLayer(input(), layerOf(tree, ['a', 'b'], 'union'), math);
    const [a, b] = ['a', 'b'].map((name) => readGroup(tree, 'layer', name));
    const whole = {
      ...a,
      keyParamTokens: tf.concat([a.keyParamTokens, b.keyParamTokens]) as tf.Tensor2D,
      valueParamTokens: tf.concat([a.valueParamTokens, b.valueParamTokens]) as tf.Tensor2D,
      tau: Math.sqrt(10),
    };
    const one = pattentionLayer(input(), [{ group: whole }], math);
    expect(relativeError(union.dataSync(), one.dataSync())).toBeLessThan(1e-6);
  });

  it('refuses a union under a Θ without a τ for it', () => {
    const softmax = { ...math, normActivation: 'softmax' };
    expect(() => pattentionLayer(input(), layerOf(treeOf({ a: 7, b: 3 }), ['a', 'b'], 'union'), softmax)).toThrow(
      'expected a normActivation with a τ for groups under one norm, got softmax',
    );
  });

  it('of a linear group is a linear map, gradients included', () => {
    const group = readGroup(treeOf({ a: 7 }), 'layer', 'a');
    const { keyParamTokens, valueParamTokens } = group;
    const map = tf.matMul(keyParamTokens, valueParamTokens, true); // [dIn, dOut]
    const linear = (x: tf.Tensor): tf.Tensor => pattentionLayer(x as tf.Tensor2D, [{ group, norm: 'linear' }], math);
    expect(relativeError(linear(input()).dataSync(), tf.matMul(input(), map).dataSync())).toBeLessThan(1e-6);
    const gradient = tf.grad((x) => tf.sum(linear(x)))(input());
    const expected = tf.grad((x) => tf.sum(tf.matMul(x, map)))(input());
    expect(relativeError(gradient.dataSync(), expected.dataSync())).toBeLessThan(1e-6);
  });

  it('adds a group with a norm of its own to a union', () => {
    const tree = treeOf({ a: 7, b: 3, bridge: 2 });
    const union = layerOf(tree, ['a', 'b'], 'union');
    const bridge = layerOf(tree, ['bridge']);
    const [all, joined, alone] = [[...union, ...bridge], union, bridge].map((l) => pattentionLayer(input(), l, math));
    expect(relativeError(all.dataSync(), tf.add(joined, alone).dataSync())).toBeLessThan(1e-6);
  });

  it('as a union is not the sum of its groups: each changes the norm of the other', () => {
    const tree = treeOf({ a: 7, b: 3 });
    const union = pattentionLayer(input(), layerOf(tree, ['a', 'b'], 'union'), math);
    const sum = pattentionLayer(input(), layerOf(tree, ['a', 'b']), math);
    expect(relativeError(union.dataSync(), sum.dataSync())).toBeGreaterThan(0.01);
  });

  it('keeps its function when zero-key tokens are appended and τ stays', () => {
    const tree = treeOf({ a: 7 });
    const group = readGroup(tree, 'layer', 'a');
    const grown = {
      ...group,
      keyParamTokens: tf.concat([group.keyParamTokens, tf.zeros([4, dIn])]) as tf.Tensor2D,
      valueParamTokens: tf.concat([
        group.valueParamTokens,
        tf.randomNormal([4, dOut], 0, 1, 'float32', 5),
      ]) as tf.Tensor2D,
    };
    const before = pattentionLayer(input(), layerOf(tree, ['a']), math).dataSync();
    const after = pattentionLayer(input(), [{ group: grown }], math).dataSync();
    // Measured 0; the sum may be taken in another order.
    expect(relativeError(after, before)).toBeLessThan(1e-6);
  });

  it('does not mind the order of its parameter tokens', () => {
    const group = readGroup(treeOf({ a: 7 }), 'layer', 'a');
    const order = tf.tensor1d([3, 0, 6, 2, 5, 1, 4], 'int32');
    const shuffled = {
      ...group,
      keyParamTokens: tf.gather(group.keyParamTokens, order),
      valueParamTokens: tf.gather(group.valueParamTokens, order),
    };
    const before = pattentionLayer(input(), [{ group }], math).dataSync();
    const after = pattentionLayer(input(), [{ group: shuffled }], math).dataSync();
    // Measured 2e-7.
    expect(relativeError(after, before)).toBeLessThan(1e-6);
  });

  it('is silent in a group behind a gate at zero, which still gets a gradient', () => {
    const tree = treeOf({ a: 7, b: 3 });
    const [a, b] = ['a', 'b'].map((name) => readGroup(tree, 'layer', name));
    const gated = (gate: tf.Tensor): tf.Tensor =>
      pattentionLayer(input(), [{ group: a }, { group: b, gate: gate as tf.Scalar }], math);
    const alone = pattentionLayer(input(), layerOf(tree, ['a']), math).dataSync();
    expect([...gated(tf.scalar(0)).dataSync()]).toEqual([...alone]);
    const [slope] = tf
      .grad((gate) => tf.sum(gated(gate)))(tf.scalar(0))
      .dataSync();
    const [whole] = pattentionLayer(input(), layerOf(tree, ['b']), math)
      .sum()
      .dataSync();
    expect(slope).toBeCloseTo(whole, 5);
  });

  it('gives no gradient to a frozen group, and the same to the rest', () => {
    const tree = treeOf({ a: 7, b: 3 });
    const gradients = (): (number[] | null)[] => {
      const variables = tree.names().map((name) => tree.variable(name));
      const { grads } = tf.variableGrads(
        () => tf.sum(tf.square(pattentionLayer(input(), layerOf(tree, ['a', 'b']), math))),
        variables,
      );
      return variables.map(({ name }) => (grads[name] == null ? null : [...grads[name].dataSync()]));
    };
    const [, , bKeys, bValues] = gradients();
    tree.setTrainable((name) => !name.startsWith('layer/a/'));
    expect(gradients()).toEqual([null, null, bKeys, bValues]);
  });
});

describe('initialisation', () => {
  beforeAll(async () => {
    await selectEngine('cpu');
  });

  const config = TokenFormerConfig.parse({
    dModel: 64,
    numLayers: 2,
    numHeads: 4,
    qkvParamTokens: 48,
    outputParamTokens: 32,
    ffnParamTokens: 96,
  });

  const deviation = (values: ArrayLike<number>): number =>
    Math.sqrt(Array.from(values).reduce((sum, value) => sum + value * value, 0) / values.length);

  it('draws keys N(0, 0.02²) and values N(0, (2/(L √d))²), in every layer', () => {
    const tensors = createStack('language', config, 1);
    for (let l = 0; l < config.numLayers; l++) {
      for (const layer of LAYER_NAMES) {
        const path = `${layerPath(l, layer)}/language`;
        // 2048 numbers and more: a deviation is estimated to 2 %, and four of them are 7 %.
        expect(deviation(tensors.get(`${path}/keyParamTokens`)!.values) / 0.02).toBeCloseTo(1, 1);
        expect(deviation(tensors.get(`${path}/valueParamTokens`)!.values) / (2 / (2 * 8))).toBeCloseTo(1, 1);
      }
    }
  });

  it('gives every layer its number of tokens, and τ = √n', () => {
    const tensors = createStack('language', config, 1);
    for (const layer of LAYER_NAMES) {
      const n = stackGroups(config, 'language')[0].paramTokens[layer];
      const path = `${layerPath(1, layer)}/language`;
      expect(tensors.get(`${path}/keyParamTokens`)!.shape).toEqual([n, 64]);
      expect(tensors.get(`${path}/valueParamTokens`)!.shape).toEqual([n, 64]);
      expect(tensors.get(`${path}/tau`)!.values[0]).toBeCloseTo(Math.sqrt(n), 5);
    }
  });

  it('gives τ = n for softmax', () => {
    const tensors = createStack('language', { ...config, normActivation: 'softmax' }, 1);
    expect(tensors.get('block0/ffn/language/tau')!.values[0]).toBe(96);
  });

  it('starts the final norm as the identity', () => {
    const tensors = createStack('language', config, 1);
    expect(new Set(tensors.get('language/finalNorm/scale')!.values)).toEqual(new Set([1]));
    expect(new Set(tensors.get('language/finalNorm/bias')!.values)).toEqual(new Set([0]));
  });

  it('is the same for the same seed, another for another seed, and differs from layer to layer', () => {
    const keys = (seed: number, path: string): number[] => [
      ...createStack('language', config, seed).get(`${path}/language/keyParamTokens`)!.values,
    ];
    expect(keys(1, 'block0/attention/query')).toEqual(keys(1, 'block0/attention/query'));
    expect(keys(2, 'block0/attention/query')).not.toEqual(keys(1, 'block0/attention/query'));
    expect(keys(1, 'block0/attention/key')).not.toEqual(keys(1, 'block0/attention/query'));
    expect(keys(1, 'block1/attention/query')).not.toEqual(keys(1, 'block0/attention/query'));
  });

  it('a group of value deviation 0 says nothing', () => {
    const init = { numParamTokens: 3, dIn, dOut, keyStd: 1, valueStd: 0, tau: 1 };
    const tree = new ParameterTree(createGroup('layer', 'bridge', init, createRandom(1)));
    const y = pattentionLayer(input(), layerOf(tree, ['bridge']), math);
    expect([...y.dataSync()].every((value) => value === 0)).toBe(true);
  });
});
