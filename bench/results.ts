import type { KernelProfile } from './kernelProfile.js';
import type { PrecisionCurves } from './precisionCurves.js';
import type { BenchCase, CaseTimes } from './runRounds.js';
import type { SideName } from './side.js';
import { median, medianRatio } from './statistics.js';

/** What one side reached in one case. */
export interface SideValues {
  readonly median: number;
  readonly rounds: readonly number[];
}

/** One line of a figure's table. */
export interface Row {
  readonly name: string;
  readonly unit: BenchCase['unit'] | 'MiB';
  readonly values: Readonly<Partial<Record<SideName, SideValues>>>;
  /** Median over rounds of our speed by the peer's: above 1 ours is faster. Of MiB: ours by the peer's. */
  readonly ratio?: number;
  /** Our share of the fastest product of the same run. */
  readonly peakShare?: number;
}

/** A number that a target is set for. */
export interface Verdict {
  readonly label: string;
  readonly value: number;
  readonly target: { readonly at: 'least' | 'most'; readonly bound: number };
}

/** One of the bench's figures. */
export interface Figure {
  readonly id: string;
  readonly title: string;
  /** The side that ours is compared with; absent when it could not take part. */
  readonly peer?: SideName;
  readonly rows: readonly Row[];
  readonly verdicts: readonly Verdict[];
}

/** A whole run, as bench/results/ keeps it. */
export interface BenchResults {
  readonly date: string;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly instructions: string;
    readonly memoryMiB: number;
    readonly system: string;
  };
  readonly commit: string;
  readonly threads: number;
  readonly rounds: number;
  readonly seed: number;
  readonly versions: Readonly<Partial<Record<SideName, Readonly<Record<string, string>>>>>;
  readonly skipped: readonly string[];
  readonly figures: readonly Figure[];
  /** Absent where it was not asked for. */
  readonly precision?: PrecisionCurves | { readonly skipped: string };
  /** Where our time goes, by workload. */
  readonly profiles: Readonly<Record<string, KernelProfile>>;
}

/** Speeds, and ours by the peer's, from the seconds of a case. */
export function timedRow(
  { name, unit, amount }: BenchCase,
  times: ReadonlyMap<SideName, Pick<CaseTimes, 'rounds'>>,
  peer: SideName | undefined,
): Row {
  const values: Partial<Record<SideName, SideValues>> = {};
  const seconds = new Map<SideName, number[]>();
  for (const [side, { rounds }] of times) {
    const ofRounds = rounds.map((round) => round.seconds);
    seconds.set(side, ofRounds);
    values[side] = sideValues(ofRounds.map((s) => (unit === 'ms' ? 1000 * s : amount / s)));
  }
  const [ours, theirs] = [seconds.get('native'), peer && seconds.get(peer)];
  return { name, unit, values, ratio: ours && theirs && medianRatio(theirs, ours) };
}

export function sideValues(rounds: readonly number[]): SideValues {
  return { median: median(rounds), rounds };
}

export function isMet({ value, target }: Verdict): boolean {
  return target.at === 'least' ? value >= target.bound : value <= target.bound;
}
