import type { SweepExperiment } from '../config/sweepConfig.js';
import { type Spread, spreadOf } from './spread.js';
import type { SweepPoint } from './sweepPoints.js';
import type { SweepRecord } from './sweepStudy.js';

/** A row at a point, over all seeds. */
export interface SweepLine {
  readonly row: string;
  readonly point: SweepPoint;
  readonly seeds: number;
  /** Null for a score that the row has not. */
  score(name: string): Spread | null;
}

/** One for each row and point, in the order of the records. */
export function sweepLines({ centre }: SweepExperiment, records: readonly SweepRecord[]): SweepLine[] {
  const groups = new Map<string, SweepRecord[]>();
  for (const record of records) {
    const key = JSON.stringify([record.settings.row, record.settings.point]);
    groups.set(key, [...(groups.get(key) ?? []), record]);
  }
  return [...groups.values()].map((group) => ({
    row: group[0].settings.row,
    point: group[0].settings.point,
    seeds: group.length,
    score: (name) =>
      spreadOf(
        group.map(({ scores }) => scores[name] ?? null),
        centre,
      ),
  }));
}
