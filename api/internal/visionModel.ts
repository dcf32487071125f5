import { parseConfig } from '#src/config';
import { tf } from '#src/engine';
import { UserError } from '#src/errors';
import { ParameterTree } from '#src/tokenformer';
import { findCheckpoint, readModel } from '#src/training';
import {
  attachVisionGroup,
  createObjective,
  detachVisionGroup,
  type GroupedVision,
  type ImageBatch,
  newVisionParameters,
  numImageTokens,
  type Objective,
  type ObjectiveConfig,
  Preprocessing,
  pooled,
  VISION_KIND,
  VisionConfig,
  VisionModelConfig,
  type VisionStates,
  visionForward,
} from '#vision';
import type { ImageInput } from '../imageInput.js';
import type { VisionModel, VisionModelOptions } from '../visionModel.js';
import { currentEngine } from './currentEngine.js';
import { hostData } from './hostData.js';
import { pixelsOf } from './pixels.js';
import { storedModel } from './storedModel.js';

export async function createVision(options: VisionModelOptions): Promise<VisionModel> {
  const { resize, background, classNames, seed = 0, ...shape } = options;
  const backbone = parseConfig(shape, VisionConfig, 'vision model');
  const config = parseConfig(
    {
      backbone,
      preprocessing: parseConfig({ resize, background }, Preprocessing, 'preprocessing'),
      objectives: [{ kind: classNames ? 'classify' : 'maskedPatches' }],
      labels: { classNames },
    },
    VisionModelConfig,
    'vision model',
  );
  await currentEngine();
  const tree = new ParameterTree(newVisionParameters(backbone, objectivesOf(config), seed));
  return visionModel(tree, config, new Map());
}

export async function openVision(path: string): Promise<VisionModel> {
  const directory = findCheckpoint(path);
  const { config, tensors, assets } = readModel(directory, VISION_KIND);
  await currentEngine();
  return visionModel(new ParameterTree(tensors), config, assets);
}

function objectivesOf({ objectives, backbone, labels }: VisionModelConfig): Objective[] {
  return objectives.map((objective) => createObjective(objective, backbone, labels, 0));
}

function visionModel(
  tree: ParameterTree,
  config: VisionModelConfig,
  assets: ReadonlyMap<string, Uint8Array>,
): VisionModel {
  const { imageSize } = config.backbone;
  let model: GroupedVision = { tree, config };
  const states = (pixels: Awaited<ReturnType<typeof pixelsOf>>): VisionStates =>
    visionForward(tree, model.config.backbone, tf.tensor4d(pixels.values, pixels.shape));
  return {
    ...storedModel<GroupedVision>({
      current: () => model,
      become: (next) => {
        model = next;
      },
      attach: attachVisionGroup,
      detach: detachVisionGroup,
      describe: (state) => ({ kind: 'vision', config: state.config }),
      assets: () => assets,
      release: () => tree.dispose(),
    }),
    imageSize,
    numImageTokens: numImageTokens(config.backbone),
    encode: async (images) => {
      const pixels = await pixelsOf(images, config);
      return hostData(() => states(pixels).normed);
    },
    embed: async (images) => {
      const pixels = await pixelsOf(images, config);
      return hostData(() => pooled(config.backbone, states(pixels).normed));
    },
    loss: async (images, classes) => {
      const batch = await batchOf(images, classes, model.config);
      const { values } = await hostData(() => {
        const { pixelValues, batch: count } = batch;
        const pixels = tf.tensor4d(pixelValues, [count, imageSize, imageSize, 3]);
        const input = {
          tree,
          batch,
          pixelValues: pixels,
          states: () => visionForward(tree, model.config.backbone, pixels),
        };
        const losses = objectivesOf(model.config).map((objective) =>
          tf.mul(objective.loss({ ...input, streamId: 'api' }), objective.weight),
        );
        return tf.addN(losses);
      });
      return values[0] / images.length;
    },
  };
}

async function batchOf(
  images: readonly ImageInput[],
  classes: readonly number[] | undefined,
  config: VisionModelConfig,
): Promise<ImageBatch> {
  const refused = config.objectives.find(
    ({ kind }: ObjectiveConfig) => kind !== 'classify' && kind !== 'maskedPatches',
  );
  if (refused) {
    throw new UserError(`loss: expected a model that classifies or predicts masked patches, got ${refused.kind}`);
  }
  const needsClasses = config.objectives.some(({ kind }) => kind === 'classify');
  const numClasses = config.labels.classNames?.length ?? 0;
  const isClass = (index: number): boolean => Number.isInteger(index) && index >= 0 && index < numClasses;
  if (needsClasses && (classes?.length !== images.length || !classes.every(isClass))) {
    throw new UserError(
      `loss: expected a class in [0, ${numClasses}) for each of ${images.length} images, got [${classes ?? ''}]`,
    );
  }
  const { values } = await pixelsOf(images, config);
  const indices = Int32Array.from(images, (_, i) => i);
  const labels = needsClasses && classes ? { labels: Int32Array.from(classes) } : {};
  return { batch: images.length, pixelValues: values, indices, ...labels };
}
