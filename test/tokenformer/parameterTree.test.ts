import { beforeEach, expect, it } from 'vitest';
import { selectEngine, tf } from '#src/engine';
import { ParameterTree } from '#src/tokenformer';

const tensors = () =>
  new Map([
    ['a/keyParamTokens', { shape: [2, 2], values: Float32Array.of(1, 2, 3, 4) }],
    ['a/tau', { shape: [], values: Float32Array.of(1.5) }],
    ['norm/bias', { shape: [3], values: Float32Array.of(5, 6, 7) }],
  ]);

beforeEach(async () => {
  await selectEngine('cpu');
});

it('holds variables by name and a stored τ as a constant', () => {
  const tree = new ParameterTree(tensors());
  expect(tree.names()).toEqual(['a/keyParamTokens', 'norm/bias']);
  expect(tree.variable('a/keyParamTokens').shape).toEqual([2, 2]);
  expect(tree.constant('a/tau')).toBe(1.5);
  expect([tree.has('a/tau'), tree.has('b')]).toEqual([true, false]);
});

it('counts parameters, τ not among them', () => {
  const tree = new ParameterTree(tensors());
  expect(tree.countParameters()).toBe(7);
  expect(tree.countParameters(['norm/bias'])).toBe(3);
});

it('gives back to the host exactly what it was made of', async () => {
  expect(await new ParameterTree(tensors()).toHost()).toEqual(tensors());
});

it('gives a snapshot that later steps do not change', async () => {
  const tree = new ParameterTree(tensors());
  const before = await tree.toHost();
  tree.variable('norm/bias').assign(tf.zeros([3]));
  expect(before.get('norm/bias')!.values).toEqual(Float32Array.of(5, 6, 7));
});

it('freezes exactly what is named, and thaws the rest', () => {
  const tree = new ParameterTree(tensors());
  tree.setTrainable((name) => name.startsWith('norm/'));
  expect(tree.trainableNames()).toEqual(['norm/bias']);
  tree.setTrainable(() => true);
  expect(tree.trainableNames()).toEqual(tree.names());
});

it('refuses a name twice and a name it does not have', () => {
  const tree = new ParameterTree(tensors());
  expect(() => tree.add(tensors())).toThrow("expected new names, got 'a/keyParamTokens' twice");
  expect(() => tree.variable('other')).toThrow("expected a parameter 'other'");
  expect(() => tree.constant('other')).toThrow("expected a constant 'other'");
});

it('frees everything it holds', () => {
  const before = tf.memory().numTensors;
  const tree = new ParameterTree(tensors());
  expect(tf.memory().numTensors).toBe(before + 2);
  tree.dispose();
  expect(tf.memory().numTensors).toBe(before);
});
