import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { EvaluatedSet, EvaluationRow, LikelihoodScores } from '#evaluation';
import { ConfigError } from '#src/errors';
import { readJson, unsealedOrOld } from '#src/storage';
import type { RunProvenance } from '#src/training';
import type { StudyExperiment, StudyScore } from '../config/studyConfig.js';
import type { StudyCell } from './studyCells.js';

/** The result of a cell, written last: where it exists, the cell is done. `npm run results` keeps it in experiments/records/. */
export interface StudyRecord {
  /** The settings it was made with; others need another folder. */
  readonly settings: StudySettings;
  readonly trainableParameters: number;
  readonly backboneParameters: number;
  readonly seconds: number;
  readonly provenance: Pick<RunProvenance, 'processor' | 'commit'> & {
    readonly engine: Pick<RunProvenance['engine'], 'name' | 'device'>;
  };
  readonly sets: readonly StudySet[];
}

/** The scores of one test set: the model's first, then those of its controls. */
export interface StudySet {
  readonly name: string;
  readonly numImages: number;
  readonly rows: readonly { readonly name: string; readonly scores: StudyScores }[];
}

/** Every score a table can show; null where there is none. */
export type StudyScores = Readonly<Record<StudyScore, number | null>>;

export interface StudySettings {
  readonly row: StudyCell['row'];
  readonly seed: number;
  readonly pairs: number | null;
  readonly controls: boolean;
  /** Of the stages' files, as `stageFiles` takes it. */
  readonly digest: string;
}

/** What a cell is made with. */
export function cellSettings(study: StudyExperiment, { row, seed, pairs }: StudyCell, digest: string): StudySettings {
  return { row, seed, pairs, controls: row.name === study.controlsOf, digest };
}

const FILE = 'record.json';

/** Path of a cell's record. */
export function recordPath(outDir: string, cell: StudyCell): string {
  return join(outDir, cell.folder, FILE);
}

/**
 * The record of a finished cell, or undefined.
 *
 * @throws ConfigError when it was made with other settings
 */
export function readRecord(outDir: string, cell: StudyCell, settings: StudySettings): StudyRecord | undefined {
  const path = recordPath(outDir, cell);
  if (!existsSync(path)) return undefined;
  const record = unsealedOrOld(readJson(path, 'study record'), path, 'study record') as StudyRecord | null;
  if (!isMadeWith(record, settings)) {
    throw new ConfigError(`${path}: was made with other settings than the study's files give; choose another --out`);
  }
  return record;
}

/** Whether a record was made with these settings. */
export function isMadeWith(record: StudyRecord | null, settings: StudySettings): record is StudyRecord {
  return isDeepStrictEqual(record?.settings, JSON.parse(JSON.stringify(settings)));
}

/** What a record keeps of an evaluated test set. */
export function studySet({ name, numImages, rows, likelihood }: EvaluatedSet): StudySet {
  return {
    name,
    numImages,
    // Only the model itself chooses between relations.
    rows: rows.map((row, i) => ({ name: row.name, scores: scoresOf(row, i === 0 ? likelihood : {}) })),
  };
}

function scoresOf(
  { captionNll, ciderD, bleu4, attributes }: EvaluationRow,
  { relationChoice }: Partial<Pick<LikelihoodScores, 'relationChoice'>>,
): StudyScores {
  return {
    NLL: captionNll,
    'CIDEr-D': ciderD,
    'BLEU-4': bleu4,
    objects: attributes?.object ?? null,
    relation: attributes?.relation ?? null,
    'scene exact': attributes?.exactScene ?? null,
    'relation choice': relationChoice?.all.mean ?? null,
    'relation choice*': relationChoice?.disagree?.mean ?? null,
  };
}
