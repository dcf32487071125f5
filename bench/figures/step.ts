import { type BenchModel, LANGUAGE_MODEL, tokensPerStep, VISION_MODEL } from '../models.js';
import type { Figure, Row, Verdict } from '../results.js';
import { stepFlops } from '../stepProducts.js';
import { type FigureContext, modelTargets, ratioVerdicts } from './figureContext.js';
import { stepCase, timeSteps } from './trainingSteps.js';

/**
 * Whole training steps of the two models, against peers from the same weights on the same batches.
 *
 * @param peakGflops of the fastest product in this run; without it no share of the peak is given
 */
export async function stepFigure(context: FigureContext, peakGflops: number | undefined): Promise<Figure> {
  const rows: Row[] = [];
  const verdicts: Verdict[] = [];
  for (const model of [LANGUAGE_MODEL, VISION_MODEL]) {
    const benchCase = stepCase(context, model, `${model.kind} model`, 'tokens/s');
    const { row, checks } = await timeSteps(context, benchCase, 0);
    const tokensPerSecond = row.values.native?.median;
    if (peakGflops === undefined || tokensPerSecond === undefined) rows.push(row);
    else {
      const peakShare = productGflops(model, tokensPerSecond) / peakGflops;
      rows.push({ ...row, peakShare });
      const label = `${row.name}, products at a share of ${peakGflops.toFixed(0)} GFLOP/s`;
      verdicts.push({ label, value: peakShare, target: { at: 'least', bound: 0.6 } });
    }
    verdicts.push(...checks);
  }
  const title = '3. Training step, 6 layers, d 256';
  return { id: 'step', title, rows, verdicts: [...ratioVerdicts(rows, modelTargets(1.5)), ...verdicts] };
}

/** Speed of the products of a step, when nothing else is counted. */
function productGflops(model: BenchModel, tokensPerSecond: number): number {
  return ((tokensPerSecond / tokensPerStep(model)) * stepFlops(model)) / 1e9;
}
