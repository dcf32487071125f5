import { SMALL_MODEL } from '../models.js';
import type { Figure } from '../results.js';
import { type FigureContext, NEW_PEER_TARGETS, ratioVerdicts } from './figureContext.js';
import { stepCase, timeSteps } from './trainingSteps.js';

/** A step that is nearly all overhead, in milliseconds. */
export async function smallFigure(context: FigureContext): Promise<Figure> {
  const { batchSize, config } = SMALL_MODEL;
  const { numLayers, dModel } = config.stack;
  const name = `${numLayers} layers, d ${dModel}, batch ${batchSize} of ${config.seqLen}`;
  const benchCase = stepCase(context, SMALL_MODEL, name, 'ms');
  const { row, checks } = await timeSteps(context, benchCase, 0.5);
  const verdicts = [...ratioVerdicts([row], NEW_PEER_TARGETS), ...checks];
  return { id: 'small', title: '6. A small training step', rows: [row], verdicts };
}
