import { beforeAll, describe, expect, it } from 'vitest';
import { selectEngine, tf } from '#src/engine';
import type { StackConfig } from '#src/stacks';
import { ParameterTree } from '#src/tokenformer';
import { AdamW, drawnShare, nestedTask, TrainingConfig, type TrainingTask } from '#src/training';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';
import { tinyLanguageConfig } from '../support/tinyLanguageModel.js';
import { regression, train } from '../support/tinyTraining.js';

beforeAll(async () => {
  await selectEngine('cpu');
});

describe('drawnShare', () => {
  it('is all, or of a uniform logarithm between the least share and all; the same again for a seed and an index', () => {
    const nested = { least: 1 / 8, whole: 0.25 };
    const shares = Array.from({ length: 4000 }, (_, index) => drawnShare(nested, 3, index));
    expect(shares).toEqual(Array.from({ length: 4000 }, (_, index) => drawnShare(nested, 3, index)));
    expect(shares.slice(0, 100)).not.toEqual(Array.from({ length: 100 }, (_, index) => drawnShare(nested, 4, index)));
    const parts = shares.filter((share) => share < 1);
    expect(parts.length / 4000).toBeCloseTo(0.75, 1);
    expect(Math.min(...parts)).toBeGreaterThanOrEqual(1 / 8);
    // A third of them in each octave.
    for (const from of [1 / 8, 1 / 4, 1 / 2]) {
      const inOctave = parts.filter((share) => share >= from && share < 2 * from).length;
      expect(inOctave / parts.length).toBeCloseTo(1 / 3, 1);
    }
  });
});

describe('nestedTask', () => {
  const nested = { least: 0.25, whole: 0.5 };
  /** A task whose loss and cost say which stack it is over. */
  const taskOf = (stack: StackConfig): TrainingTask => {
    const size = stack.kind === 'transformer' ? 0 : stack.ffnParamTokens;
    return { ...regression(), loss: () => ({ sum: tf.scalar(size), weight: 1 }), flopsIn: () => size };
  };

  it('takes loss and cost of a micro-batch over the prefix that its index draws', () => {
    const stack = { ...tinyLanguageConfig.stack, ffnParamTokens: 100 };
    const task = nestedTask(stack, nested, 1, taskOf);
    const sizes = Array.from({ length: 20 }, (_, index) => task.loss(index).sum.dataSync()[0]);
    expect(sizes).toEqual(
      Array.from({ length: 20 }, (_, index) => Math.min(100, Math.ceil(100 * drawnShare(nested, 1, index)))),
    );
    expect(Array.from({ length: 20 }, (_, index) => task.flopsIn?.(index))).toEqual(sizes);
    expect(sizes).toContain(100);
    expect(Math.min(...sizes)).toBeLessThan(100);
  });

  it('is the task over all parameter tokens without the key', () => {
    const task = regression();
    expect(nestedTask(tinyLanguageConfig.stack, undefined, 1, () => task)).toBe(task);
  });
});

it('leaves the moments of a token outside of the prefix to fade, while it moves by them and decays', () => {
  const [beta1, beta2, rate, weightDecay, adamEpsilon] = [0.9, 0.95, 0.1, 0.2, 1e-3];
  const tree = new ParameterTree(new Map([['w', { shape: [2, 1], values: Float32Array.of(1, 1) }]]));
  const optimizer = new AdamW(tree, { beta1, beta2, weightDecay, adamEpsilon, learningRates: undefined });
  // Both tokens in the first step, then twice the first one alone.
  let [w, m, v] = [1, 0, 0];
  for (const [i, gradient] of [0.5, 0, 0].entries()) {
    const step = i + 1;
    const gradients = new Map([['w', tf.tensor2d([0.5, gradient], [2, 1])]]);
    optimizer.apply(gradients, rate, 1, step);
    m = beta1 * m + (1 - beta1) * gradient;
    v = beta2 * v + (1 - beta2) * gradient ** 2;
    const move = m / (1 - beta1 ** step) / (Math.sqrt(v / (1 - beta2 ** step)) + adamEpsilon);
    w = w * (1 - rate * weightDecay) - rate * move;
  }
  const [first, second] = tree.variable('w').dataSync();
  expect(second).toBeCloseTo(w, 6);
  expect(second).toBeGreaterThan(first);
  optimizer.dispose();
  tree.dispose();
});

it('is refused where no TokenFormer backbone is trained, before any step', () => {
  const nested = { least: 0.5, whole: 0.5 };
  expect(userErrorLine(() => train(regression(), temporaryFolder(), { nested }))).toContain(
    'only vision and language TokenFormers are trained by prefixes',
  );
  const settings = { steps: 1, batchSize: 1, learningRate: 1 };
  expect(TrainingConfig.safeParse({ ...settings, nested: { least: 1 } }).success).toBe(false);
  expect(TrainingConfig.parse({ ...settings, nested: { least: 0.5 } }).nested).toEqual({ least: 0.5, whole: 0 });
});
