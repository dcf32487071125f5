import { z } from 'zod';
import type { JointModel } from '../../jointModel.js';
import { TokenWeightRule } from '../../tokenWeights.js';
import { createCaptionNll } from './captionNll.js';
import type { AlignObjective, ObjectiveContext } from './objective.js';
import { checkReplay, createReplay, ReplayConfig } from './replay.js';

export { type AlignObjective, CAPTION_METRICS, type CaptionMetric, type StatesOf } from './objective.js';

/** Keys of an alignment that choose its objectives, besides the caption loss, which is always on. */
export const objectiveKeys = {
  tokenWeights: z.array(TokenWeightRule).default([]).describe('words that weigh more in the loss'),
  replay: ReplayConfig.optional().describe(
    'also trains on text without images, so that the bridges can stay on for text',
  ),
};

const ObjectiveKeys = z.object(objectiveKeys);
type ObjectiveKeys = z.output<typeof ObjectiveKeys>;

/** Refuses objectives that a model cannot learn from, before any data is opened. @throws ConfigError */
export function checkObjectives({ replay }: ObjectiveKeys, model: JointModel): void {
  if (replay) checkReplay(model);
}

/** The objectives that an alignment names; the caption loss comes first. */
export function createObjectives({ replay }: ObjectiveKeys, context: ObjectiveContext): AlignObjective[] {
  return [createCaptionNll(context), ...(replay ? [createReplay(replay, context)] : [])];
}
