import type { ModelKind } from '#src/training';
import { createObjective } from './objectives/index.js';
import { VisionModelConfig } from './visionModelConfig.js';
import { newVisionParameters } from './visionParameters.js';

/** Vision models as checkpoints hold them. */
export const VISION_KIND: ModelKind<VisionModelConfig> = {
  kind: 'vision',
  noun: 'a vision model',
  schema: VisionModelConfig,
  parameters: ({ backbone, objectives, labels }) =>
    newVisionParameters(
      backbone,
      objectives.map((objective) => createObjective(objective, backbone, labels, 0)),
      0,
    ),
};
