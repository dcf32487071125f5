import type { ModelKind, StackOfKind } from '#src/training';
import { VISION_GROUP } from './model/backbone.js';
import { visionStreamRole } from './model/streamRole.js';
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

/** Vision TokenFormers: what can be merged. */
export const VISION_KIND: ModelKind<VisionModelConfig> = { ...ANY_VISION_KIND, schema: VisionModelConfig };

/** The stack of a vision backbone, which may grow. */
export const VISION_STACK: StackOfKind<AnyVisionModelConfig> = {
  groupName: VISION_GROUP,
  roleOf: visionStreamRole,
  stackOf: ({ backbone }) => backbone.stack,
  withStack: (config, stack) => ({ ...config, backbone: { ...config.backbone, stack } }),
};
