import { join } from 'node:path';
import { type StudyExperiment, type StudyRow, slug } from '../config/studyConfig.js';

/** One row at one number of pairs under one seed: what is merged, trained and evaluated as one. */
export interface FusionCell {
  readonly row: StudyRow;
  readonly seed: number;
  /** Training pairs; null where nothing is trained. */
  readonly pairs: number | null;
  /** Its folder, from the study's. */
  readonly folder: string;
}

/** All cells, seed by seed: an interrupted study has whole seeds rather than whole rows. */
export function fusionCells({ seeds, rows, pairs }: Pick<StudyExperiment, 'seeds' | 'rows' | 'pairs'>): FusionCell[] {
  return seeds.flatMap((seed) =>
    rows.flatMap((row) =>
      (row.align === false ? [null] : (row.pairs ?? pairs)).map((count) => ({
        row,
        seed,
        pairs: count,
        folder: join(`seed-${seed}`, slug(row.name), count === null ? 'untrained' : `pairs-${count}`),
      })),
    ),
  );
}
