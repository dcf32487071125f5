import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { ConfigError } from '#src/errors';
import { readJson, unsealedOrOld } from '#src/storage';
import { readProvenance } from '#src/training';
import type { CellProvenance, CellRecord, StudyCell } from './study.js';

type Cell<R extends CellRecord> = Pick<StudyCell<R>, 'folder' | 'settings'>;

/** Path of a cell's record. */
export function recordPath(outDir: string, { folder }: { readonly folder: string }): string {
  return join(outDir, folder, 'record.json');
}

/**
 * The record of a finished cell, or undefined.
 *
 * @throws ConfigError when it was made with other settings
 */
export function readRecord<R extends CellRecord>(outDir: string, cell: Cell<R>): R | undefined {
  const path = recordPath(outDir, cell);
  if (!existsSync(path)) return undefined;
  const record = unsealedOrOld(readJson(path, 'study record'), path, 'study record') as CellRecord | null;
  if (!isRecordOf(record, cell)) {
    throw new ConfigError(`${path}: was made with other settings than the study's files give; choose another --out`);
  }
  return record;
}

/** Whether a record was made with a cell's settings. */
export function isRecordOf<R extends CellRecord>(record: CellRecord | null, { settings }: Cell<R>): record is R {
  return isDeepStrictEqual(record?.settings, JSON.parse(JSON.stringify(settings)));
}

/** What a record keeps of a run's or an evaluation's provenance. */
export function cellProvenance(folder: string): CellProvenance {
  const { engine, processor, commit } = readProvenance(folder);
  return { engine: { name: engine.name, device: engine.device }, processor, commit };
}
