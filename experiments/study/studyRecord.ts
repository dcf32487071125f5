import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { EvaluatedSet, LikelihoodScores } from '#fusion';
import { ConfigError } from '#src/errors';
import { readJson } from '#src/storage';
import type { StudyCell } from './studyCells.js';

/** What became of a cell: written last, so where it is the cell is done. */
export interface StudyRecord {
  /** The overrides it was made with; others want another folder. */
  readonly settings: StudySettings;
  readonly trainableParameters: number;
  readonly backboneParameters: number;
  readonly seconds: number;
  readonly sets: readonly (Pick<EvaluatedSet, 'name' | 'numImages' | 'rows'> &
    Partial<Pick<LikelihoodScores, 'relationChoice'>>)[];
}

export interface StudySettings {
  readonly row: StudyCell['row'];
  readonly seed: number;
  readonly pairs: number | null;
  readonly controls: boolean;
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
  const record = readJson(path, 'study record') as StudyRecord;
  if (!isDeepStrictEqual(record.settings, JSON.parse(JSON.stringify(settings)))) {
    throw new ConfigError(`${path}: was made with other settings than the study's file gives; choose another --out`);
  }
  return record;
}
