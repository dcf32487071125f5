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
  /** By peer, the median over rounds of our speed by the peer's: above 1 ours is faster. Of MiB: ours by the peer's. */
  readonly ratios?: Readonly<Partial<Record<SideName, number>>>;
  /** The peer that does best in this case, and its ratio. */
  readonly peer?: SideName;
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

/** Speeds, and ours by each peer's, from the seconds of a case. */
export function timedRow(
  { name, unit, amount }: BenchCase,
  times: ReadonlyMap<SideName, Pick<CaseTimes, 'rounds'>>,
): Row {
  const values: Partial<Record<SideName, SideValues>> = {};
  const seconds = new Map<SideName, number[]>();
  for (const [side, { rounds }] of times) {
    const ofRounds = rounds.map((round) => round.seconds);
    seconds.set(side, ofRounds);
    values[side] = sideValues(ofRounds.map((s) => (unit === 'ms' ? 1000 * s : amount / s)));
  }
  const ratios: Partial<Record<SideName, number>> = {};
  const ours = seconds.get('native');
  for (const [side, theirs] of seconds) if (ours && isPeer(side)) ratios[side] = medianRatio(theirs, ours);
  return { name, unit, values, ...bestPeer(ratios, 'least') };
}

/** Of a row: all ratios, and that of the peer that does best, which is the least of speeds and the most of memory. */
export function bestPeer(
  ratios: NonNullable<Row['ratios']>,
  best: 'least' | 'most',
): Pick<Row, 'ratios' | 'peer' | 'ratio'> {
  const all = (Object.entries(ratios) as [SideName, number][]).sort(([, a], [, b]) => a - b);
  const found = all.at(best === 'least' ? 0 : -1);
  return found === undefined ? {} : { ratios, peer: found[0], ratio: found[1] };
}

export function isPeer(side: SideName): boolean {
  return side !== 'native' && side !== 'wasm';
}

export function sideValues(rounds: readonly number[]): SideValues {
  return { median: median(rounds), rounds };
}

export function isMet({ value, target }: Verdict): boolean {
  return target.at === 'least' ? value >= target.bound : value <= target.bound;
}
