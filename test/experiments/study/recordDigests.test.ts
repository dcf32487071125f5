import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { parseExperimentOf } from '#experiments';
import { readRecords } from '../../../experiments/study/keptRecords.js';
import { stageFiles } from '../../../experiments/study/stageFiles.js';

const experiments = resolve(import.meta.dirname, '../../../experiments');

it.each(['fusion-study/study.yaml', 'fusion-study/emoji.yaml', 'relations/study.yaml'])(
  'the kept records of %s are of the stage files beside it',
  (file) => {
    const path = join(experiments, file);
    const study = parseExperimentOf(path, ['study']);
    const records = readRecords(join(experiments, 'records', `${study.name}.jsonl`));
    expect([...new Set(records.map(({ settings }) => settings.digest))]).toEqual([stageFiles(study, path).digest]);
  },
);
