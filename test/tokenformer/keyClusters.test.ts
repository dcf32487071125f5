import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { createRandom } from '#src/random';
import { clusterKeys, createGroup, ParameterTree, pattentionLayer, readGroup, tokenWeights } from '#src/tokenformer';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { randomValues } from '../support/randomValues.js';

const math = { normActivation: 'l2NormGelu', gelu: 'erf', normEpsilon: 1e-5 } as const;
const [n, dIn, dOut] = [520, 6, 5];
const input = (): tf.Tensor2D => tf.tensor2d(randomValues(3 * dIn, 'clusters', 'x'), [3, dIn]);

function treeOf(numParamTokens = n): ParameterTree {
  const tree = new ParameterTree();
  const init = { numParamTokens, dIn, dOut, keyStd: 0.5, valueStd: 0.5, tau: Math.sqrt(numParamTokens) };
  for (const name of ['a', 'b']) tree.add(createGroup('layer', name, init, createRandom(1, name)));
  tree.useSparsity({ best: 2, clusters: 8 });
  return tree;
}

describeEachEngine('clusters of keys', () => {
  it('finds the directions that keys are scattered about', () => {
    // Twelve keys of any length about each of three axes.
    const noise = randomValues(36 * 3, 'clusters', 'noise');
    const scattered = Float32Array.from({ length: 36 * 3 }, (_, at) => {
      const [i, axis] = [Math.floor(at / 3), at % 3];
      return (1 + (i % 5)) * ((i % 3 === axis ? 1 : 0) + 0.1 * noise[at]);
    });
    const keys = tf.tensor2d(scattered, [36, 3]);
    const { assignment, starts } = clusterKeys(keys, keys, 3, createRandom(5, 'start'));
    const of = assignment.dataSync();
    expect([...starts]).toEqual([0, 12, 24, 36]);
    for (let i = 3; i < 36; i++) expect(of[i]).toBe(of[i % 3]);
  });

  it('keeps every parameter token once, cluster by cluster', () => {
    const keys = tf.tensor2d(randomValues(n * dIn, 'clusters', 'keys'), [n, dIn]);
    const marks = tf.reshape(tf.range(0, n), [n, 1]) as tf.Tensor2D;
    const { keyParamTokens, valueParamTokens, clusterOf, assignment, starts, guide } = clusterKeys(
      keys,
      marks,
      7,
      createRandom(1, 'start'),
    );
    const order = [...valueParamTokens.dataSync()];
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
    expect([...keyParamTokens.dataSync()]).toEqual([...tf.gather(keys, tf.tensor1d(order, 'int32')).dataSync()]);
    const [of, sorted] = [assignment.dataSync(), [...clusterOf.dataSync()]];
    expect(sorted).toEqual(order.map((i) => of[i]));
    expect(sorted).toEqual([...sorted].sort((a, b) => a - b));
    expect([starts[0], starts.at(-1)]).toEqual([0, n]);
    const gram = tf.slice(guide, [starts.length - 1, 0], [-1, -1]).dataSync();
    expect(relativeError(gram, tf.matMul(keys, keys, true).dataSync())).toBe(0);
  });

  it('leaves out clusters without a key', () => {
    const same = tf.ones([10, 3]) as tf.Tensor2D;
    const { starts } = clusterKeys(same, same, 4, createRandom(1, 'start'));
    expect([...starts]).toEqual([0, 10]);
  });

  it('are made once for a tree, the same every time, and go with it', () => {
    const before = tf.memory().numTensors;
    const outputs = [1, 2].map(() => {
      const tree = treeOf();
      const x = input();
      const run = (): number[] => {
        const layer = ['a', 'b'].map((name) => ({ group: readGroup(tree, 'layer', name) }));
        return tf.tidy(() => [...pattentionLayer(x, layer, math).dataSync()]);
      };
      const first = run();
      const held = tf.memory().numTensors;
      expect(run()).toEqual(first);
      expect(tf.memory().numTensors).toBe(held);
      x.dispose();
      tree.dispose();
      return first;
    });
    expect(outputs[1]).toEqual(outputs[0]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('are made anew for a group that takes the place of another of its name', () => {
    const x = input();
    const outputOf = (tree: ParameterTree): number[] =>
      tf.tidy(() => [...pattentionLayer(x, [{ group: readGroup(tree, 'layer', 'a') }], math).dataSync()]);
    const init = { numParamTokens: n, dIn, dOut, keyStd: 0.5, valueStd: 0.5, tau: Math.sqrt(n) };
    const other = createGroup('layer', 'a', init, createRandom(2, 'a'));
    const [swapped, assigned, expected] = [treeOf(), treeOf(), new ParameterTree(other)];
    for (const tree of [swapped, assigned]) outputOf(tree);
    swapped.remove([...other.keys()]);
    swapped.add(other);
    assigned.assign(other);
    expected.useSparsity(swapped.sparsity);
    for (const tree of [swapped, assigned]) expect(outputOf(tree)).toEqual(outputOf(expected));
    for (const tree of [swapped, assigned, expected]) tree.dispose();
    x.dispose();
  });

  it('of a group give its weights in its own order', () => {
    const group = readGroup(treeOf(), 'layer', 'a');
    const weights = tokenWeights(input(), { group }, math);
    const used = [...weights.dataSync()].filter((weight) => weight !== 0).length / 3;
    expect(used).toBeGreaterThan(2);
    expect(used).toBeLessThan(n / 2);
    const expected = tf.matMul(weights, group.valueParamTokens).dataSync();
    // Measured 3e-7.
    expect(relativeError(pattentionLayer(input(), [{ group }], math).dataSync(), expected)).toBeLessThan(2e-6);
  });

  it('are not made of a small group, nor for groups under one norm', () => {
    const tree = treeOf();
    tree.useSparsity({ best: 2, clusters: 131 });
    expect(readGroup(tree, 'layer', 'a').clusters).toBeUndefined();
    expect(readGroup(treeOf(511), 'layer', 'a').clusters).toBeUndefined();
    tree.useSparsity({ best: 2, clusters: 8 });
    const layer = ['a', 'b'].map((name) => ({ group: readGroup(tree, 'layer', name), norm: 'union' as const }));
    expect(() => pattentionLayer(input(), layer, math)).toThrow("method 'union' has groups under one norm");
  });
});
