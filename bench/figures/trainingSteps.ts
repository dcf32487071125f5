import { join } from 'node:path';
import { type AnyBenchModel, tokensPerStep, writeBenchModel } from '../models.js';
import { isPeer, type Row, timedRow, type Verdict } from '../results.js';
import { type BenchCase, type CaseTimes, runRounds } from '../runRounds.js';
import type { SideName } from '../side.js';
import { agreement } from './agreement.js';
import { type FigureContext, MODEL_SIDES, withSides } from './figureContext.js';

/** Steps whose losses are compared. */
const COMPARED_STEPS = 5;

/** Writes the model's files and describes the case that trains it. */
export function stepCase(
  { folder }: FigureContext,
  model: AnyBenchModel,
  name: string,
  unit: 'tokens/s' | 'ms',
): BenchCase {
  const workload = { kind: 'step', folder: writeBenchModel(join(folder, name.replaceAll(/\W+/g, '-')), model) } as const;
  return { name, workload, amount: tokensPerStep(model), unit };
}

/** Times training steps on all sides and compares our losses with the peers'. */
export async function timeSteps(
  context: FigureContext,
  benchCase: BenchCase,
  minSeconds: number,
): Promise<{ row: Row; checks: Verdict[] }> {
  const [times] = await withSides(context, MODEL_SIDES, (sides) =>
    runRounds(sides, [benchCase], { rounds: context.rounds, warmups: 2, minSeconds }),
  );
  return { row: timedRow(benchCase, times), checks: compareLosses(benchCase.name, times) };
}

/** Whether the first losses of ours and of every peer agree. */
export function compareLosses(name: string, times: ReadonlyMap<SideName, CaseTimes>): Verdict[] {
  const losses = new Map(
    [...times].map(([side, { warmups, rounds }]) => [
      side,
      [...warmups, ...rounds].flatMap((measurement) => measurement.losses ?? []).slice(0, COMPARED_STEPS),
    ]),
  );
  const ours = losses.get('native');
  if (ours === undefined) return [];
  return agreement(`${name}, first losses`, ours, new Map([...losses].filter(([side]) => isPeer(side))));
}
