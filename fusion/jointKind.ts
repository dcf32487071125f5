import { LANGUAGE_KIND } from '#language';
import type { ModelKind } from '#src/training';
import { VISION_KIND } from '#vision';
import { newFusionParameters } from './fusionParameters.js';
import { JointModelConfig } from './jointConfig.js';

/** Merged models as checkpoints hold them: the parameters of both backbones and of the method. */
export const JOINT_KIND: ModelKind<JointModelConfig> = {
  kind: 'fusion',
  noun: 'a merged model',
  schema: JointModelConfig,
  parameters: (config) =>
    new Map([
      ...VISION_KIND.parameters(config.vision),
      ...LANGUAGE_KIND.parameters(config.language),
      ...newFusionParameters(config, 0),
    ]),
};
