import { join } from 'node:path';
import { ConfigError } from '#src/errors';
import { sha256 } from '#src/storage';
import { slug } from '../config/studyConfig.js';
import type { SweepExperiment } from '../config/sweepConfig.js';
import { cellProvenance } from './cellRecord.js';
import type { CellRecord, Study, StudyCell } from './study.js';
import { type ChainStage, type SweepCell, sweepChain } from './sweepChain.js';
import { sweepFigures } from './sweepFigure.js';
import { sweepMatrices } from './sweepMatrix.js';
import { type SweepPoint, sweepPoints } from './sweepPoints.js';
import { readScore } from './sweepScores.js';
import { sweepTable } from './sweepTable.js';

/** The kinds of stages that have scores, and say where they were made. */
const MEASURED = ['vision', 'language', 'tune', 'align', 'evaluate'];

/** The result of a cell of a sweep. */
export interface SweepRecord extends CellRecord {
  readonly settings: {
    readonly row: string;
    readonly point: SweepPoint;
    readonly seed: number;
    /** Of all that the stages do, of what they are made of, and of what the scores are. */
    readonly digest: string;
  };
  readonly stages: readonly StageRecord[];
  /** By name; null where the row has not the stage that it is read of. */
  readonly scores: Readonly<Record<string, number | null>>;
}

interface StageRecord {
  readonly name: string;
  /** From the sweep's folder. */
  readonly folder: string;
  /** Process time; null where it was there already. */
  readonly seconds: number | null;
}

/** A sweep: rows of stages, each at the points of a grid or a random search, under several seeds; equal stages are run once. */
export function sweepStudy(sweep: SweepExperiment, path: string): Study<SweepRecord> {
  const cells = sweep.seeds.flatMap((seed) =>
    sweep.rows.flatMap((row) => sweepPoints(sweep, row).map((point): SweepCell => ({ row, point, seed }))),
  );
  const chains = cells.map((cell) => sweepChain(sweep, cell, path));
  const experiments = chains.flat().flatMap(({ experiment }) => experiment ?? []);
  const labels = new Map<string, string>();
  return {
    name: sweep.name,
    seeds: sweep.seeds,
    centre: sweep.centre,
    precisions: experiments.flatMap((each) => ('training' in each ? [each.training.matmulPrecision] : [])),
    cells: cells.map((cell, i) => sweepCell(sweep, cell, chains[i], labels)),
    sharedStages: () => [],
    timeSpent: (records) => {
      const seconds = new Map(
        records.flatMap(({ stages }) => stages).map((stage) => [stage.folder, stage.seconds ?? 0]),
      );
      const sum = [...seconds.values()].reduce((total, each) => total + each, 0);
      return `${(sum / 60).toFixed(0)} process minutes`;
    },
    results: (records) => ({
      table: sweepTable(sweep, records),
      figures: [...sweepFigures(sweep, records), ...sweepMatrices(sweep, records)],
    }),
  };
}

/** @param labels of the stages that have one already, by folder: equal stages of several cells are one */
function sweepCell(
  { scores }: SweepExperiment,
  { row, point, seed }: SweepCell,
  chain: readonly ChainStage[],
  labels: Map<string, string>,
): StudyCell<SweepRecord> {
  const keys = Object.entries(point).map(([key, value]) => `, ${key} ${value}`);
  const label = `seed ${seed} ${row.name}${keys.join('')}`;
  const content = JSON.stringify([chain.map(({ name, folder }) => [name, folder]), scores]);
  const settings = { row: row.name, point, seed, digest: sha256(Buffer.from(content)) };
  const measured = chain.findLast(({ experiment }) => MEASURED.some((kind) => kind === experiment?.kind));
  if (measured === undefined) throw new ConfigError(`row '${row.name}': expected a stage that trains or evaluates`);
  refuseDeadEnds(chain, scores, row.name);
  const run = (folder: string): string => labels.get(folder) ?? '';
  return {
    label,
    folder: join(`seed-${seed}`, `${slug(row.name)}-${settings.digest.slice(0, 8)}`),
    settings,
    stages: (places) =>
      withInputs(chain).map(({ name, folder, inputs, stage }) => {
        if (!labels.has(folder)) labels.set(folder, `${label}: ${name}`);
        return stage(
          run(folder),
          inputs.map((input) => run(input.folder)),
          places,
        );
      }),
    record: (outDir, _, resultOf) => ({
      settings,
      provenance: cellProvenance(join(outDir, measured.folder)),
      stages: chain.map(({ name, folder }) => ({
        ...{ name, folder },
        seconds: resultOf(run(folder))?.process.seconds ?? null,
      })),
      scores: Object.fromEntries(scores.map((score) => [score.name, readScore(score, chain, outDir)])),
    }),
  };
}

/** @throws ConfigError for a stage that nothing comes of: what follows has most likely forgotten to take it */
function refuseDeadEnds(chain: readonly ChainStage[], scores: SweepExperiment['scores'], row: string): void {
  const taken = new Set(withInputs(chain).flatMap(({ inputs }) => inputs.map(({ folder }) => folder)));
  const scored = scores.flatMap(({ stage }) => stage ?? []);
  const idle = chain.slice(0, -1).find(({ name, folder }) => !taken.has(folder) && !scored.includes(name));
  if (idle === undefined) return;
  throw new ConfigError(
    `row '${row}': no stage takes '${idle.name}', and no score is read of it; the one after it takes it by from: { initFrom.checkpoint: previous }`,
  );
}

/** The stages with those that they take, each after what it takes. */
function withInputs(chain: readonly ChainStage[]): ChainStage[] {
  const all = new Map<string, ChainStage>();
  const add = (stage: ChainStage): void => {
    for (const input of stage.inputs) add(input);
    if (!all.has(stage.folder)) all.set(stage.folder, stage);
  };
  for (const stage of chain) add(stage);
  return [...all.values()];
}
