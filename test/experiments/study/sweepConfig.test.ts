import { expect, it } from 'vitest';
import { parseConfig } from '#src/config';
import { SweepExperiment } from '../../../experiments/config/sweepConfig.js';
import { MINI_SWEEP } from '../../support/miniSweep.js';

const parsed = (changes: object): SweepExperiment =>
  parseConfig({ ...MINI_SWEEP, ...changes }, SweepExperiment, 'sweep');
const withStage = (stage: object): object => ({ stages: { ...MINI_SWEEP.stages, odd: stage } });

it.each([
  [
    'a stage that does two things',
    withStage({ file: 'a.yaml', command: ['a', 'b'] }),
    /expected one of file, grow, shrink, command; got file, command/,
  ],
  ['a growth that adds nothing', withStage({ grow: { by: { policy: 'stack' } } }), /expected factor, got none/],
  [
    'changes of a command',
    withStage({ command: ['data', 'text'], set: ['a=b'] }),
    /from and set are for stages with a file, got command/,
  ],
  [
    'rows of one name',
    { rows: [MINI_SWEEP.rows[0], MINI_SWEEP.rows[0]] },
    /expected names of their own, got 'small' twice/,
  ],
  ['a row of no stage', { rows: [{ name: 'a', stages: ['smal'] }] }, /expected one of data, .*; got 'smal'/],
  [
    'a change of a stage that the row has not',
    { rows: [{ name: 'a', stages: ['small'], set: { large: [] } }] },
    /got 'large'/,
  ],
  ['a key of no stage', { grid: { 'training.steps': [1] } }, /expected stage\.key, got 'training\.steps'/],
  ['a score of nothing', { scores: [{ name: 'loss' }] }, /expected metric or evaluation/],
  ['a figure of no score', { figures: [{ ...MINI_SWEEP.figures[0], y: 'los' }] }, /figures\.0\.y.*got 'los'/],
  ['a quick row that is none', { quick: { rows: ['tiny'] } }, /quick\.rows.*got 'tiny'/],
])('refuses %s', (_, changes, message) => {
  expect(() => parsed(changes)).toThrow(message);
});
