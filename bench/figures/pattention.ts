import { type Figure, timedRow } from '../results.js';
import { type BenchCase, runRounds } from '../runRounds.js';
import { type FigureContext, MODEL_SIDES, modelTargets, ratioVerdicts, withSides } from './figureContext.js';

const TOKENS = 4096;
const WIDTH = 256;

/** Forward and backward of one Pattention layer, against peers. */
export async function pattentionFigure(context: FigureContext): Promise<Figure> {
  const cases = [256, 1024].map(
    (numParamTokens): BenchCase => ({
      name: `[${TOKENS}, d ${WIDTH}], n ${numParamTokens}`,
      workload: { kind: 'pattention', tokens: TOKENS, width: WIDTH, numParamTokens },
      amount: (12 * TOKENS * WIDTH * numParamTokens) / 1e9, // six products
      unit: 'GFLOP/s',
    }),
  );
  const times = await withSides(context, MODEL_SIDES, (sides) =>
    runRounds(sides, cases, { rounds: context.rounds, warmups: 2, minSeconds: 0.2 }),
  );
  const rows = cases.map((benchCase, i) => timedRow(benchCase, times[i]));
  const title = '2. Pattention, forward and backward';
  return { id: 'pattention', title, rows, verdicts: ratioVerdicts(rows, modelTargets(1.5)) };
}
