import { MATCHED_MODELS } from '../models.js';
import { type Figure, timedRow } from '../results.js';
import { runRounds } from '../runRounds.js';
import { medianRatio } from '../statistics.js';
import { type FigureContext, withSides } from './figureContext.js';
import { compareLosses, stepCase } from './trainingSteps.js';

/** Training steps of a standard Transformer and a TokenFormer with as many parameters: whether the baseline is handicapped. */
export async function baselineFigure(context: FigureContext): Promise<Figure> {
  const cases = MATCHED_MODELS.map(([name, model]) => stepCase(context, model, name, 'tokens/s'));
  const times = await withSides(context, ['native', 'pytorch', 'new-pytorch', 'wasm'], (sides) =>
    runRounds(sides, cases, { rounds: context.rounds, warmups: 2, minSeconds: 0 }),
  );
  const rows = cases.map((benchCase, i) => timedRow(benchCase, times[i]));
  const seconds = times.map((sides) => sides.get('native')?.rounds.map((round) => round.seconds) ?? []);
  const [tokenFormer, transformer] = seconds;
  return {
    id: 'baseline',
    title: '7. A standard Transformer and a TokenFormer with as many parameters, 6 layers, d 256',
    rows,
    verdicts: [
      {
        label: 'time of a Transformer step / of a TokenFormer step',
        value: medianRatio(transformer, tokenFormer),
        target: { at: 'most', bound: 1.15 },
      },
      ...cases.flatMap(({ name }, i) => compareLosses(name, times[i])),
    ],
  };
}
