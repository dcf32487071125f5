import { LANGUAGE_MODEL, VISION_MODEL } from '../models.js';
import { type Figure, type Row, type SideValues, sideValues, type Verdict } from '../results.js';
import { runRounds } from '../runRounds.js';
import type { SideName } from '../side.js';
import { type FigureContext, peerIn, withSides } from './figureContext.js';
import { stepCase } from './trainingSteps.js';

/** Steps after which the peak is read; it does not grow after the second. */
const STEPS = 4;

/** Peak resident memory of training, each model and side in a process of its own; it needs Linux's /proc. */
export async function memoryFigure(context: FigureContext): Promise<Figure> {
  const peer = peerIn(context, 'pytorch');
  const rows: Row[] = [];
  for (const model of [LANGUAGE_MODEL, VISION_MODEL]) {
    const benchCase = stepCase(context, model, `${model.kind} model`, 'tokens/s');
    const values: Partial<Record<SideName, SideValues>> = {};
    for (const name of ['native', 'pytorch'] as const) {
      await withSides(context, [name], async (sides) => {
        await runRounds(sides, [benchCase], { rounds: STEPS, warmups: 0, minSeconds: 0 });
        const bytes = sides[0]?.peakMemoryBytes();
        if (bytes !== undefined) values[name] = sideValues([bytes / 2 ** 20]);
      });
    }
    const ratio = values.native && peer && values[peer] && values.native.median / values[peer].median;
    rows.push({ name: benchCase.name, unit: 'MiB', values, ratio });
  }
  return { id: 'memory', title: '5. Peak resident memory of training', peer, rows, verdicts: verdicts(rows) };
}

function verdicts(rows: readonly Row[]): Verdict[] {
  return rows.flatMap(({ name, ratio }) =>
    ratio === undefined
      ? []
      : [{ label: `${name}, ours / PyTorch`, value: ratio, target: { at: 'most' as const, bound: 1 } }],
  );
}
