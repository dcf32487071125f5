import { beforeEach, describe, expect, it } from 'vitest';
import { selectEngine, tf } from '#src/engine';
import type { HostTensor } from '#src/storage';
import { ParameterTree } from '#src/tokenformer';
import { AdamW, isDecayed } from '#src/training';
import { relativeError } from '../support/closeness.js';
import { userErrorLine } from '../support/thrown.js';

const config = { beta1: 0.9, beta2: 0.95, adamEpsilon: 1e-8, weightDecay: 0.1 };

const newTree = (): ParameterTree =>
  new ParameterTree(
    new Map([
      ['matrix', { shape: [1, 2], values: Float32Array.of(1, -2) }],
      ['bias', { shape: [2], values: Float32Array.of(3, 4) }],
    ]),
  );

/** Gradients that differ from step to step. */
function gradientsAt(step: number, names: string[]): Map<string, tf.Tensor> {
  const values = [Math.sin(step), Math.cos(step)];
  return new Map(names.map((name) => [name, name === 'matrix' ? tf.tensor2d([values]) : tf.tensor1d(values)]));
}

function run(optimizer: AdamW, steps: number[], names = ['matrix', 'bias']): void {
  for (const step of steps) optimizer.apply(gradientsAt(step, names), 0.1, 1, step);
}

beforeEach(async () => {
  await selectEngine('cpu');
});

describe('AdamW', () => {
  it('decays matrices and leaves biases alone', () => {
    const tree = newTree();
    const zeros = new Map<string, tf.Tensor>([
      ['matrix', tf.zeros([1, 2])],
      ['bias', tf.zeros([2])],
    ]);
    new AdamW(tree, config).apply(zeros, 0.5, 1, 1);
    expect(relativeError(tree.variable('matrix').dataSync(), [0.95, -1.9])).toBeLessThan(1e-6);
    expect([...tree.variable('bias').dataSync()]).toEqual([3, 4]);
  });

  it('multiplies gradients by the scale it is given', () => {
    const [scaled, plain] = [newTree(), newTree()];
    new AdamW(scaled, { ...config, adamEpsilon: 1 }).apply(gradientsAt(1, ['bias']), 0.1, 0.25, 1);
    const quarter = new Map([['bias', tf.mul(gradientsAt(1, ['bias']).get('bias')!, 0.25)]]);
    new AdamW(plain, { ...config, adamEpsilon: 1 }).apply(quarter, 0.1, 1, 1);
    expect([...scaled.variable('bias').dataSync()]).toEqual([...plain.variable('bias').dataSync()]);
  });

  it('keeps moments by name: a parameter without a gradient changes nothing of the others', () => {
    const [both, alone] = [newTree(), newTree()];
    run(new AdamW(both, config), [1, 2, 3]);
    run(new AdamW(alone, config), [1, 2, 3], ['bias']);
    expect([...alone.variable('bias').dataSync()]).toEqual([...both.variable('bias').dataSync()]);
    expect([...alone.variable('matrix').dataSync()]).toEqual([1, -2]);
  });

  it('saved and loaded goes on to the same bits', async () => {
    const [unbroken, first] = [newTree(), newTree()];
    run(new AdamW(unbroken, config), [1, 2, 3, 4]);
    const before = new AdamW(first, config);
    run(before, [1, 2]);
    const second = new ParameterTree(await first.toHost());
    const after = new AdamW(second, config);
    after.load(await before.toHost(), 'optimizer');
    run(after, [3, 4]);
    expect(await second.toHost()).toEqual(await unbroken.toHost());
  });

  it('gives a snapshot that later steps do not change', async () => {
    const optimizer = new AdamW(newTree(), config);
    run(optimizer, [1]);
    const [snapshot, copy] = [await optimizer.toHost(), structuredClone(await optimizer.toHost())];
    run(optimizer, [2]);
    expect(snapshot).toEqual(copy);
    expect([...snapshot.keys()].sort()).toEqual(['bias/adamM', 'bias/adamV', 'matrix/adamM', 'matrix/adamV']);
  });

  it.each<[string, (saved: Map<string, HostTensor>) => void, string]>([
    ['of which one is missing', (saved) => saved.delete('bias/adamV'), "has no 'bias/adamV' beside 'bias/adamM'"],
    [
      'of another shape',
      (saved) => saved.set('bias/adamM', { shape: [1], values: Float32Array.of(0) }),
      "'bias/adamM': expected [2], got [1]",
    ],
    [
      'of an unknown parameter',
      (saved) => saved.set('other/adamM', { shape: [], values: Float32Array.of(0) }),
      "'other/adamM': expected a moment of a trainable parameter",
    ],
    [
      'below 0',
      (saved) => saved.set('bias/adamV', { shape: [2], values: Float32Array.of(1, -1) }),
      "'bias/adamV': expected numbers of at least 0, got -1 at 1",
    ],
    [
      'in whole numbers',
      (saved) => saved.set('bias/adamM', { shape: [2], values: Int32Array.of(1, 1) }),
      "'bias/adamM': expected float32",
    ],
  ])('refuses moments %s', async (_, damage, expected) => {
    const optimizer = new AdamW(newTree(), config);
    run(optimizer, [1]);
    const saved = await optimizer.toHost();
    damage(saved);
    expect(userErrorLine(() => new AdamW(newTree(), config).load(saved, 'file'))).toContain(`file: ${expected}`);
  });

  it('refuses to go on without the moments of a parameter that gets a gradient', async () => {
    const optimizer = new AdamW(newTree(), config);
    run(optimizer, [1]);
    const saved = await optimizer.toHost();
    for (const key of ['bias/adamM', 'bias/adamV']) saved.delete(key);
    const resumed = new AdamW(newTree(), config);
    resumed.load(saved, 'file');
    expect(userErrorLine(() => run(resumed, [2]))).toContain("file: has no moments of 'bias'");
  });

  it('holds two tensors a parameter and frees them', () => {
    const tree = newTree();
    const optimizer = new AdamW(tree, config);
    const before = tf.memory().numTensors;
    for (const step of [1, 2, 3]) {
      const gradients = gradientsAt(step, ['matrix', 'bias']);
      optimizer.apply(gradients, 0.1, 1, step);
      tf.dispose([...gradients.values()]);
    }
    expect(tf.memory().numTensors).toBe(before + 4);
    optimizer.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('isDecayed', () => {
  it.each([
    ['block0/ffn/language/keyParamTokens', [4, 8], true],
    ['language/tokenEmbedding', [11, 8], true],
    ['vision/positionEmbedding', [17, 8], false],
    ['vision/classToken', [1, 8], false],
    ['visionDecoder/maskToken', [1, 8], false],
    ['language/finalNorm/scale', [8], false],
    ['gate', [], false],
  ])('of %s is %s', (name, shape, expected) => {
    expect(isDecayed(name, shape)).toBe(expected);
  });
});
