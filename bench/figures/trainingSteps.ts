import { join } from 'node:path';
import { type AnyBenchModel, tokensPerStep, writeBenchModel } from '../models.js';
import { type Row, timedRow, type Verdict } from '../results.js';
import { type BenchCase, type CaseTimes, runRounds } from '../runRounds.js';
import type { SideName } from '../side.js';
import { agreement } from './agreement.js';
import { type FigureContext, peerIn, withSides } from './figureContext.js';

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

/** Times training steps on all sides and compares their losses with the peer's. */
export async function timeSteps(
  context: FigureContext,
  benchCase: BenchCase,
  minSeconds: number,
): Promise<{ row: Row; checks: Verdict[] }> {
  const [times] = await withSides(context, ['native', 'pytorch', 'wasm'], (sides) =>
    runRounds(sides, [benchCase], { rounds: context.rounds, warmups: 2, minSeconds }),
  );
  const peer = peerIn(context, 'pytorch');
  return { row: timedRow(benchCase, times, peer), checks: compareLosses(benchCase.name, times, peer) };
}

/** Whether the first losses of both sides agree. */
export function compareLosses(name: string, times: ReadonlyMap<SideName, CaseTimes>, peer: SideName | undefined): Verdict[] {
  const losses = ({ warmups, rounds }: CaseTimes): readonly number[] =>
    [...warmups, ...rounds].flatMap((measurement) => measurement.losses ?? []).slice(0, COMPARED_STEPS);
  const ours = times.get('native');
  const theirs = peer && times.get(peer);
  if (ours === undefined || theirs === undefined) return [];
  return [agreement(`${name}, first losses`, losses(ours), losses(theirs))];
}
