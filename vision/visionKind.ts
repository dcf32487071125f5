import type { ModelKind, StackOfKind } from '#src/training';
import { VISION_GROUP } from './model/backbone.js';
import { createObjective } from './objectives/index.js';
import { VisionModelConfig } from './visionModelConfig.js';
import { newVisionParameters } from './visionParameters.js';

/** Vision models as checkpoints hold them. */
export const VISION_KIND: ModelKind<VisionModelConfig> = {
  kind: 'vision',
  noun: 'a vision model',
  schema: VisionModelConfig,
  parameters: ({ backbone, objectives, labels }, seed = 0) =>
    newVisionParameters(
      backbone,
      objectives.map((objective) => createObjective(objective, backbone, labels, seed)),
      seed,
    ),
};

/** The stack of a vision model. */
export const VISION_STACK: StackOfKind<VisionModelConfig> = {
  groupName: VISION_GROUP,
  stackOf: ({ backbone }) => backbone.stack,
  withStack: (config, stack) => ({ ...config, backbone: { ...config.backbone, stack } }),
};
