import { setTimeout as sleep } from 'node:timers/promises';
import type { Side, SideName } from './side.js';
import type { Measurement, Workload } from './workload.js';

/** Something that is timed on several sides. */
export interface BenchCase {
  readonly name: string;
  readonly workload: Workload;
  /** Of `unit` in one repetition: GFLOP, tokens, images; 1 for milliseconds. */
  readonly amount: number;
  readonly unit: 'GFLOP/s' | 'tokens/s' | 'images/s' | 'ms';
}

export interface RoundOptions {
  readonly rounds: number;
  /** Repetitions before the first round, which are not timed. */
  readonly warmups: number;
  /** A case is repeated for so long in each round. */
  readonly minSeconds: number;
}

/** The wasm engine takes part in every third round: it is tens of times slower, and no target is about it. */
const WASM_EVERY = 3;

/** Threads of OpenMP and OpenBLAS spin for up to a tenth of a second after their work; they would disturb the next. */
const SETTLE_MS = 150;

/** What one side measured of one case. */
export interface CaseTimes {
  readonly warmups: Measurement[];
  readonly rounds: Measurement[];
}

/**
 * Times all cases on all sides, in turn, round after round: ours, peer, ours, peer, ….
 *
 * @returns per case what each side measured
 */
export async function runRounds(
  sides: readonly Side[],
  cases: readonly BenchCase[],
  { rounds, warmups, minSeconds }: RoundOptions,
): Promise<Map<SideName, CaseTimes>[]> {
  const results = cases.map(
    () => new Map(sides.map(({ name }): [SideName, CaseTimes] => [name, { warmups: [], rounds: [] }])),
  );
  for (let round = -warmups; round < rounds; round++) {
    for (const side of sides) {
      if (side.name === 'wasm' && !(round < 0 ? round === -1 : round % WASM_EVERY === 0)) continue;
      await sleep(SETTLE_MS);
      for (const [i, { workload }] of cases.entries()) {
        const times = results[i].get(side.name) as CaseTimes;
        if (round < 0) times.warmups.push(await side.measure({ workload, minSeconds: 0 }));
        else times.rounds.push(await side.measure({ workload, minSeconds }));
      }
    }
  }
  return results;
}
