import { existsSync, readdirSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { isRecordOf } from '../../../experiments/study/cellRecord.js';
import { readRecords } from '../../../experiments/study/keptRecords.js';
import { openStudy } from '../../../experiments/study/openStudy.js';
import { STUDIES } from '../../../experiments/study/studies.js';

const experiments = resolve(import.meta.dirname, '../../../experiments');

/** Where a study has kept records, and the study. */
const kept = STUDIES.map((file) => ({ file, study: openStudy(join(experiments, file)) }))
  .map(({ file, study }) => ({ file, study, path: join(experiments, 'records', `${study.name}.jsonl`) }))
  .filter(({ path }) => existsSync(path));

it('every file of records is of a study', () => {
  expect(kept.map(({ path }) => basename(path)).sort()).toEqual(readdirSync(join(experiments, 'records')).sort());
});

it.each(kept)('the kept records of $file are of the stage files beside it', ({ study, path }) => {
  const records = readRecords(path);
  expect(records.length).toBeGreaterThan(0);
  expect(records.filter((record) => !study.cells.some((cell) => isRecordOf(record, cell)))).toEqual([]);
});
