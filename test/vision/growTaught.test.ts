import { beforeAll, expect, it } from 'vitest';
import { selectEngine } from '#src/engine';
import { ParameterTree } from '#src/tokenformer';
import { growModel } from '#src/training';
import {
  ANY_VISION_KIND,
  AnyVisionModelConfig,
  createObjectives,
  newVisionParameters,
  VISION_STACK,
  visionTask,
} from '#vision';
import { relativeError } from '../support/closeness.js';
import { squares } from '../support/tinyVisionModel.js';

beforeAll(async () => {
  await selectEngine('wasm');
});

it.each([
  { kind: 'jointEmbedding', predictorModel: 16, predictorHeads: 2 },
  { kind: 'selfDistillation', prototypes: 8, headHidden: 16, headOutput: 8 },
])('a standard Transformer grown by copies has the loss of $kind that it had', async (objective) => {
  const config = AnyVisionModelConfig.parse({
    backbone: {
      imageSize: 8,
      patchSize: 2,
      pooling: 'classToken',
      stack: { kind: 'transformer', dModel: 12, numLayers: 2, numHeads: 2, mlpHidden: 16 },
    },
    objectives: [objective],
    labels: {},
  });
  const lossOf = async (of: AnyVisionModelConfig, tensors: ConstructorParameters<typeof ParameterTree>[0]) => {
    const objectives = createObjectives(of.objectives, of.backbone, {}, 1);
    const tree = new ParameterTree(tensors);
    const training = { steps: 1, batchSize: 4 } as Parameters<typeof visionTask>[1]['training'];
    const experiment = { model: of.backbone, training, seed: 1, data: { maxValidationImages: 8 } };
    const validation = {
      *validationBatches() {
        yield squares(8);
      },
    };
    const train = { batchAt: () => squares(4), paths: [] };
    const task = visionTask(tree, experiment, objectives, train, validation);
    const metrics = await task.evaluate(() => undefined);
    task.teacher?.dispose();
    tree.dispose();
    return metrics['validation/loss'];
  };
  const objectives = createObjectives(config.objectives, config.backbone, {}, 1);
  const tensors = newVisionParameters(config.backbone, objectives, 1);
  const grown = growModel(ANY_VISION_KIND, VISION_STACK, { config, tensors }, { policy: 'net2net', factor: 2 }, 1);
  expect(grown.config.backbone.stack.dModel).toBe(24);
  const losses = [await lossOf(config, tensors), await lossOf(grown.config, grown.tensors)];
  expect(relativeError([losses[1]], [losses[0]])).toBeLessThan(1e-3);
});
