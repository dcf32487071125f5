import { afterEach, beforeAll, expect, it } from 'vitest';
import { ENGINES, selectEngine, tf } from '#src/engine';
import { ParameterTree } from '#src/tokenformer';
import { AdamW, preparedBatches, TrainingConfig, trainStep } from '#src/training';

beforeAll(async () => {
  await selectEngine('cpu');
});

afterEach(() => {
  Object.assign(ENGINES.cpu, { computesAside: undefined });
});

it('makes each batch once, in one of two buffers that take turns', () => {
  const made: [number, number][] = [];
  const batches = preparedBatches((index, slot) => {
    made.push([index, slot]);
    return index;
  });
  batches.prepare(0);
  expect([batches.at(0), batches.at(0)]).toEqual([0, 0]);
  batches.prepare(1);
  expect([batches.at(0), batches.at(1), batches.at(2), batches.at(1)]).toEqual([0, 1, 2, 1]);
  expect(made.map(([index]) => index)).toEqual([0, 1, 2]);
  expect(new Set(made.map(([, slot]) => slot)).size).toBe(2);
  expect(batches.at(0)).toBe(0);
  expect(made.length).toBe(4);
});

/** Two steps of a task that takes `delay` ms to make a batch, and the order of what it was asked for. */
async function steps(delay: number) {
  const asked: string[] = [];
  const tree = new ParameterTree(new Map([['weight', { shape: [1], values: new Float32Array([3]) }]]));
  const task = {
    parameters: tree,
    unit: 'tokens' as const,
    prepare: (index: number) => {
      asked.push(`prepare ${index}`);
      const end = performance.now() + delay;
      while (performance.now() < end);
    },
    loss: (index: number) => {
      asked.push(`loss ${index}`);
      return { sum: tf.sum(tf.square(tree.variable('weight'))) as tf.Scalar, weight: 1 };
    },
    unitsIn: () => 1,
    describeBatch: () => '',
    evaluate: async () => ({}),
    selectBy: { metric: 'none', better: 'lower' as const },
  };
  const config = TrainingConfig.parse({ steps: 2, batchSize: 1, learningRate: 0.1, gradientAccumulation: 2 });
  const optimizer = new AdamW(tree, config);
  const waits: number[] = [];
  for (const step of [1, 2]) waits.push((await trainStep(task, config, optimizer, { step })).dataSeconds);
  optimizer.dispose();
  tree.dispose();
  return { asked, waits };
}

it('is waited for where the engine computes in the call', async () => {
  const { asked, waits } = await steps(5);
  expect(asked).toEqual([0, 1, 2, 3].flatMap((index) => [`prepare ${index}`, `loss ${index}`]));
  for (const seconds of waits) expect(seconds).toBeGreaterThanOrEqual(0.01);
});

it('is made while the engine computes on its own, except after the last step', async () => {
  Object.assign(ENGINES.cpu, { computesAside: true });
  const { asked } = await steps(0);
  expect(asked).toEqual([
    ...['prepare 0', 'loss 0', 'prepare 1', 'loss 1'],
    ...['prepare 2', 'prepare 2', 'loss 2', 'prepare 3', 'loss 3'],
  ]);
});
