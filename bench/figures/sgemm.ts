import { SIDE_TITLES } from '../figureTable.js';
import { LANGUAGE_MODEL, VISION_MODEL } from '../models.js';
import { type Figure, type Row, timedRow, type Verdict } from '../results.js';
import { type BenchCase, runRounds } from '../runRounds.js';
import { geometricMean } from '../statistics.js';
import { productFlops, productShapes, type StepProduct } from '../stepProducts.js';
import { type FigureContext, withSides } from './figureContext.js';

/** The least ratios of our speed, as the mean over shapes and of any. */
const TARGETS = [
  { side: 'onednn', mean: 0.85, worst: 0.6 },
  { side: 'new-onednn', mean: 0.9, worst: 0.7 },
] as const;

/** Every product shape of the two models' training steps, against oneDNN. */
export async function sgemmFigure(context: FigureContext): Promise<Figure> {
  const cases = productShapes([LANGUAGE_MODEL, VISION_MODEL]).map(productCase);
  const times = await withSides(context, ['native', 'onednn', 'new-onednn'], (sides) =>
    runRounds(sides, cases, { rounds: context.rounds, warmups: 1, minSeconds: 0.05 }),
  );
  const rows = cases.map((benchCase, i) => timedRow(benchCase, times[i]));
  return { id: 'sgemm', title: "1. Matrix products of the models' steps", rows, verdicts: verdicts(rows) };
}

function productCase(product: StepProduct): BenchCase {
  const { what, batch, m, n, depth, transposeA, transposeB } = product;
  const sizes = `${batch > 1 ? `[${batch}] ` : ''}${m}·${n}·${depth} ${transposeA ? 'T' : 'N'}${transposeB ? 'T' : 'N'}`;
  const workload = { kind: 'product', batch, m, n, depth, transposeA, transposeB } as const;
  return { name: `${sizes}  ${what}`, workload, amount: productFlops(product) / 1e9, unit: 'GFLOP/s' };
}

function verdicts(rows: readonly Row[]): Verdict[] {
  return TARGETS.flatMap(({ side, mean, worst }): Verdict[] => {
    const ratios = rows.flatMap((row) => row.ratios?.[side] ?? []);
    if (ratios.length === 0) return [];
    const label = `ours / ${SIDE_TITLES[side]}`;
    return [
      { label: `${label}, geometric mean`, value: geometricMean(ratios), target: { at: 'least', bound: mean } },
      { label: `${label}, worst shape`, value: Math.min(...ratios), target: { at: 'least', bound: worst } },
    ];
  });
}

/** GFLOP/s of the fastest product, whichever side it was on: what steps are measured by. */
export function peakOf({ rows }: Figure): number {
  return Math.max(...rows.flatMap(({ values }) => Object.values(values).map(({ median }) => median)));
}
