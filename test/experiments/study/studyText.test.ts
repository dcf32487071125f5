import { expect, it } from 'vitest';
import type { CellRecord } from '../../../experiments/study/study.js';
import { studyText } from '../../../experiments/study/studyText.js';

const record = (seed: number): CellRecord => ({
  settings: { seed },
  provenance: { engine: { name: 'native', device: 'CPU' }, processor: '2 × test', commit: '0123456789' },
});

const textOf = (...seeds: number[]): string => {
  const study = {
    ...{ cells: [], seeds: [1, 2, 3], centre: 'mean' as const },
    ...{ timeSpent: () => '5 process minutes', results: () => ({ table: 'TABLE', figures: [] }) },
  };
  return studyText(study, seeds.map(record), (name) => name).text;
};

it('says what cells, seeds, engine and commit a table is of', () => {
  expect(textOf(1, 2, 3, 3).split('\n')).toEqual([
    '4 of 0 cells, seeds 1, 2, 3; mean over seeds (lowest–highest). Engine native (CPU),',
    '2 × test, commit 0123456; 5 process minutes.',
    '',
    'TABLE',
  ]);
});

it('names the seeds that have results, of those that the study has', () => {
  expect(textOf(1)).toContain('seed 1 of 1, 2, 3; ');
  expect(textOf(1, 3)).toContain('seeds 1, 3 of 1, 2, 3; ');
});
