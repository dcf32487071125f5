import { expect, it } from 'vitest';
import { renderScenes } from '#scenes';
import { selectEngine, tf } from '#src/engine';
import { ParameterTree } from '#src/tokenformer';
import { AdamW, TrainingConfig, trainStep } from '#src/training';
import {
  createObjectives,
  type ImageBatch,
  newVisionParameters,
  ObjectiveConfig,
  VisionConfig,
  visionTask,
} from '#vision';
import { drawScene } from '../../scenes/drawScene.js';

const STEPS = 60;

/** A short run on drawn scenes: what is measured of scenes held out before and after it. */
async function learned(given: unknown): Promise<{ before: Record<string, number>; after: Record<string, number> }> {
  const scenes = Array.from({ length: 288 }, (_, i) => drawScene(i, 'all', { imageSize: 24, patchSize: 4 }));
  const images = await renderScenes(scenes);
  const batchOf = (first: number, batch: number): ImageBatch => {
    const pixelValues = new Float32Array(batch * 24 * 24 * 3);
    const indices = Int32Array.from({ length: batch }, (_, i) => first + i);
    for (const [i, index] of indices.entries()) pixelValues.set(images[index], i * 24 * 24 * 3);
    return { batch, pixelValues: pixelValues.map((v) => v / 127.5 - 1), indices };
  };
  const tokens = { qkvParamTokens: 32, outputParamTokens: 32, ffnParamTokens: 96 };
  const model = VisionConfig.parse({
    imageSize: 24,
    patchSize: 4,
    stack: { dModel: 32, numLayers: 2, numHeads: 4, ...tokens },
  });
  const training = TrainingConfig.parse({ steps: STEPS, batchSize: 16, learningRate: 2e-3, warmupSteps: 10 });
  const objectives = createObjectives([ObjectiveConfig.parse(given)], model, {}, 1);
  const tree = new ParameterTree(newVisionParameters(model, objectives, 1));
  const data = { augment: undefined, maxValidationImages: 64 };
  const train = { batchAt: (step: number) => batchOf((step * 16) % 256, 16), paths: [] };
  const validation = {
    *validationBatches() {
      yield batchOf(256, 32);
    },
  };
  const task = visionTask(tree, { model, data, training, seed: 1 }, objectives, train, validation);
  const optimizer = new AdamW(tree, training);
  const before = await task.evaluate(() => undefined);
  for (let step = 1; step <= STEPS; step++) {
    await trainStep(task, training, optimizer, { step });
    task.teacher?.follow(step);
  }
  const after = await task.evaluate(() => undefined);
  optimizer.dispose();
  task.teacher?.dispose();
  tree.dispose();
  return { before, after };
}

const timeout = 240_000;

it('joint embedding: a slow teacher keeps states apart, which collapse into one under a teacher that is the student', {
  timeout,
}, async () => {
  await selectEngine('wasm');
  const { numTensors } = tf.memory();
  const slow = await learned({ kind: 'jointEmbedding' });
  const none = await learned({ kind: 'jointEmbedding', momentum: 0 });
  const deviation = (of: typeof slow): number => of.after['validation/targetDeviation'];
  expect(slow.before['validation/targetDeviation']).toBeGreaterThan(0.4);
  expect(deviation(slow)).toBeGreaterThan(0.25);
  expect(deviation(none)).toBeLessThan(0.15);
  expect(tf.memory().numTensors).toBe(numTensors);
});

it('self-distillation: prototypes come to tell images apart', { timeout }, async () => {
  await selectEngine('wasm');
  const { before, after } = await learned({
    kind: 'selfDistillation',
    ...{ localCrops: 2, prototypes: 32, headHidden: 64, headOutput: 16, momentum: 0.98 },
  });
  expect(after['validation/prototypeInformation']).toBeGreaterThan(1.3 * before['validation/prototypeInformation']);
  // Better than chance, the logarithm of the number of prototypes.
  expect(after['validation/distillationLoss']).toBeLessThan(Math.log(32));
});
