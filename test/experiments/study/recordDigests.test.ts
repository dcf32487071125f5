import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { isRecordOf } from '../../../experiments/study/cellRecord.js';
import { readRecords } from '../../../experiments/study/keptRecords.js';
import { openStudy } from '../../../experiments/study/openStudy.js';

const experiments = resolve(import.meta.dirname, '../../../experiments');

it.each(['fusion-study/study.yaml', 'fusion-study/emoji.yaml', 'relations/study.yaml'])(
  'the kept records of %s are of the stage files beside it',
  (file) => {
    const study = openStudy(join(experiments, file));
    const records = readRecords(join(experiments, 'records', `${study.name}.jsonl`));
    expect(records.length).toBeGreaterThan(0);
    expect(records.filter((record) => !study.cells.some((cell) => isRecordOf(record, cell)))).toEqual([]);
  },
);
