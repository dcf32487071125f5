import type { ModelKind, StackOfKind } from '#src/training';
import { VISION_GROUP } from './model/backbone.js';
import { createObjective } from './objectives/index.js';
import { AnyVisionModelConfig, VisionModelConfig } from './visionModelConfig.js';
import { newVisionParameters } from './visionParameters.js';

/** Any vision model as checkpoints hold it. */
export const ANY_VISION_KIND: ModelKind<AnyVisionModelConfig> = {
  kind: 'vision',
  noun: 'a vision model',
  schema: AnyVisionModelConfig,
  parameters: ({ backbone, objectives, labels }, seed = 0) =>
    newVisionParameters(
      backbone,
      objectives.map((objective) => createObjective(objective, backbone, labels, seed)),
      seed,
    ),
};

/** Vision TokenFormers: what can be merged, and what grows by tokens. */
export const VISION_KIND: ModelKind<VisionModelConfig> = { ...ANY_VISION_KIND, schema: VisionModelConfig };

/** The stack of a vision TokenFormer. */
export const VISION_STACK: StackOfKind<VisionModelConfig> = {
  groupName: VISION_GROUP,
  stackOf: ({ backbone }) => backbone.stack,
  withStack: (config, stack) => ({ ...config, backbone: { ...config.backbone, stack } }),
};
