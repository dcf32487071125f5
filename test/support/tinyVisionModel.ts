import { tf } from '#src/engine';
import { createRandom } from '#src/random';
import { ParameterTree } from '#src/tokenformer';
import {
  type AnyVisionConfig,
  createObjective,
  createVisionParameters,
  type ImageBatch,
  type LabelNames,
  type Objective,
  ObjectiveConfig,
  type ObjectiveInput,
  VisionConfig,
  visionForward,
} from '#vision';

/** A vision model of 16 patches. */
export function tinyVisionConfig(given: { pooling?: 'mean' | 'classToken' } = {}): VisionConfig {
  const tokens = { qkvParamTokens: 12, outputParamTokens: 12, ffnParamTokens: 24 };
  const stack = { dModel: 12, numLayers: 2, numHeads: 2, ...tokens };
  return VisionConfig.parse({ imageSize: 8, patchSize: 2, stack, ...given });
}

export const tinyLabels: LabelNames = {
  classNames: ['red', 'green', 'blue'],
  attributeNames: ['bright', 'red'],
  grid: { rows: 4, cols: 4, attributes: [{ name: 'colour', values: ['none', 'red', 'green', 'blue'] }] },
};

/** Black images with one square of red, green or blue; class, attributes and cells say which and where. */
export function squares(batch: number, seed = 1): ImageBatch {
  const pixelValues = new Float32Array(batch * 8 * 8 * 3).fill(-1);
  const labels = new Int32Array(batch);
  const attributes = new Float32Array(batch * 2);
  const cells = new Int32Array(batch * 16);
  for (let b = 0; b < batch; b++) {
    const random = createRandom(seed, 'square', b);
    const [colour, row, col] = [random.integer(3), random.integer(4), random.integer(4)];
    labels[b] = colour;
    attributes.set([colour === 1 ? 1 : 0, colour === 0 ? 1 : 0], b * 2);
    cells[b * 16 + row * 4 + col] = colour + 1;
    for (const [r, c] of [
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ]) {
      pixelValues[((b * 8 + row * 2 + r) * 8 + col * 2 + c) * 3 + colour] = 1;
    }
  }
  return { batch, pixelValues, labels, attributes, cells, indices: Int32Array.from({ length: batch }, (_, i) => i) };
}

/** One objective on a new backbone, and the input that a batch is to it; its teacher, if it has one, is the new backbone and stays it. */
export function objectiveOn(config: AnyVisionConfig, given: unknown, labels = tinyLabels) {
  const objective: Objective = createObjective(ObjectiveConfig.parse(given), config, labels, 4);
  const tree = new ParameterTree(new Map([...createVisionParameters(config, 4), ...objective.createParameters(4)]));
  const teacher = objective.teacher && tree.copyOf(objective.teacher.names);
  const inputOf = (batch: ImageBatch, streamId = 'test'): ObjectiveInput => {
    const pixelValues = tf.tensor4d(batch.pixelValues, [batch.batch, config.imageSize, config.imageSize, 3]);
    return { tree, batch, pixelValues, states: () => visionForward(tree, config, pixelValues), streamId, teacher };
  };
  return { objective, tree, inputOf, teacher };
}
