import type { MatmulPrecision } from '#src/engine';
import type { RunProvenance } from '#src/training';
import type { Stage, StageContext, StagePlaces } from '../stages/index.js';

/** What the running and the keeping of studies need of one of any kind: cells that are run, scored and recorded each. */
export interface Study<R extends CellRecord = CellRecord> {
  readonly name: string;
  readonly seeds: readonly number[];
  /** What tables show of several seeds, beside the lowest and the highest. */
  readonly centre: 'mean' | 'median';
  /** That training asks for. */
  readonly precisions: readonly MatmulPrecision[];
  /** Seed by seed: an interrupted study has whole seeds rather than whole rows. */
  readonly cells: readonly StudyCell<R>[];
  /** Stages that the open cells share and that are to run first. */
  sharedStages(open: readonly StudyCell<R>[], places: StagePlaces): Stage[];
  /** Process time of finished cells, in words. */
  timeSpent(records: readonly R[]): string;
  /** The table, in Markdown, and the figures. @param records of finished cells, in the order of the cells */
  results(records: readonly R[]): StudyResults;
}

/** One row under one seed. */
export interface StudyCell<R extends CellRecord = CellRecord> {
  /** As progress lines have it. */
  readonly label: string;
  /** Its folder, from the study's. */
  readonly folder: string;
  /** What it is made with: a record of others is not of this cell. */
  readonly settings: R['settings'];
  /** In the order of the work; cells may have some in common, by their names. */
  stages(places: StagePlaces): Stage[];
  /** What its finished stages have come to. @param outDir the study's folder */
  record(outDir: string, stages: readonly Stage[], resultOf: StageContext['resultOf']): R;
}

/** The result of a cell, written last: where it exists, the cell is done. */
export interface CellRecord {
  readonly settings: { readonly seed: number };
  readonly provenance: CellProvenance;
}

export type CellProvenance = Pick<RunProvenance, 'processor' | 'commit'> & {
  readonly engine: Pick<RunProvenance['engine'], 'name' | 'device'>;
};

export interface StudyResults {
  readonly table: string;
  readonly figures: readonly StudyFigure[];
}

export interface StudyFigure {
  /** Of its file, without `.svg`. */
  readonly name: string;
  readonly title: string;
  readonly svg: string;
}
