import { expect, it } from 'vitest';
import { parseExperimentOf } from '#experiments';
import { openStudy } from '../../../experiments/study/openStudy.js';
import { type ChainStage, sweepChain } from '../../../experiments/study/sweepChain.js';
import type { SweepPoint } from '../../../experiments/study/sweepPoints.js';
import { MINI_SWEEP, writeMiniSweep } from '../../support/miniSweep.js';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { userErrorLine } from '../../support/thrown.js';

/** The chain of a row of the mini sweep. */
function chainOf(name: string, changes: object = {}, seed = 1, point: SweepPoint = {}): ChainStage[] {
  const path = writeMiniSweep(temporaryFolder(), changes);
  const sweep = parseExperimentOf(path, ['sweep']);
  const row = sweep.rows.find((each) => each.name === name);
  if (row === undefined) throw new Error(`no row ${name}`);
  return sweepChain(sweep, { row, point, seed }, path);
}
const withStages = (stages: object): object => ({ stages: { ...MINI_SWEEP.stages, ...stages } });
const refusal = (name: string, changes: object): string => userErrorLine(() => chainOf(name, changes));

it('stages that do the same with the same are one', () => {
  expect(chainOf('twin')[0].folder).toBe(chainOf('large')[0].folder);
  expect(chainOf('grown')[0].folder).toBe(chainOf('small')[0].folder);
});

it('stages of another seed, another size or made of others are not', () => {
  const [small, grow, after] = chainOf('grown');
  const folders = [small, grow, after, ...chainOf('large'), ...chainOf('grown', {}, 2)].map(({ folder }) => folder);
  expect(new Set(folders).size).toBe(7);
  const changed = chainOf('grown', withStages({ small: { extends: 'train', set: ['training.batchSize=4'] } }));
  expect(changed.map(({ folder }) => folder).filter((folder) => folders.includes(folder))).toEqual([]);
});

it('what names no seed is made once for all', () => {
  const tokenizers = [1, 2].map((seed) => chainOf('small', {}, seed)[0].inputs.map(({ folder }) => folder));
  expect(tokenizers[0]).toEqual(tokenizers[1]);
  expect(tokenizers[0].map((folder) => folder.replace(/-.*/, ''))).toEqual(['stages/tokenizer', 'stages/scenes']);
});

it('gives the files the paths of what they take', () => {
  const [small, grow, after] = chainOf('grown');
  expect(grow.inputs).toEqual([small]);
  expect(after.experiment).toMatchObject({
    seed: 1,
    initFrom: { checkpoint: grow.folder, optimizer: 'keep' },
    data: { files: [expect.stringMatching(/^stages\/scenes-[0-9a-f]{12}\/language\/train\.txt$/)] },
    model: { stack: { qkvParamTokens: 24 } },
  });
});

it('takes the changes of a row and of a point', () => {
  const rows = [{ name: 'fast', stages: ['small'], set: { small: ['training.learningRate=0.5'] } }];
  const [{ experiment }] = chainOf('fast', { rows, quick: undefined }, 1, { 'small.training.batchSize': 3 });
  expect(experiment).toMatchObject({ training: { learningRate: 0.5, batchSize: 3 } });
});

it.each([
  [
    'a key of no file',
    { small: { extends: 'train', set: ['training.setps=1'] } },
    /stages\.small: training\.setps=1: unknown key .*did you mean 'steps'/,
  ],
  [
    'a stage that is not there',
    { small: { extends: 'train', from: { 'initFrom.checkpoint': 'smal' } } },
    /stages\.small: expected a stage .*got 'smal' \(did you mean 'small'\?\)/,
  ],
  [
    'the stage before the first',
    { small: { extends: 'train', from: { 'initFrom.checkpoint': 'previous' } } },
    /takes the stage before it, and row 'small' has none there/,
  ],
  [
    'a circle of stages',
    { tokenizer: { file: 'tokenizer.yaml', from: { 'files.0': 'small/x' } } },
    /takes its own output, through other stages/,
  ],
  ['a circle of what extends what', { train: { extends: 'small' } }, /extends: leads back to/],
  ['a stage that does nothing', { small: { set: ['a=b'] } }, /small: expected file, grow, shrink or command/],
  [
    'an experiment that is no stage',
    { small: { file: 'pipeline.yaml' } },
    /expected an experiment of kind scenes or .*got 'pipeline'/,
  ],
])('refuses %s before anything runs', (_, stages, message) => {
  expect(refusal('small', withStages(stages))).toMatch(message);
});

it('a stage is like several others, of which the last one counts', () => {
  const stages = {
    tanh: { set: ['model.stack.gelu=tanh', 'training.batchSize=4'] },
    small: { extends: ['train', 'tanh'], set: ['training.batchSize=2'] },
  };
  const [{ experiment }] = chainOf('small', withStages(stages));
  expect(experiment).toMatchObject({ seed: 1, training: { batchSize: 2 }, model: { stack: { gelu: 'tanh' } } });
});

it('refuses changes of a growth, which has no file', () => {
  const rows = [{ name: 'grown', stages: ['small', 'double'], set: { double: ['factor=3'] } }];
  expect(refusal('grown', { rows, quick: undefined })).toMatch(
    /stages\.double: has no file that 'factor=3' could change/,
  );
});

it('refuses a row in which nothing comes of a stage, unless a score is read of it', () => {
  const after = { extends: 'large', from: { 'initFrom.checkpoint': 'small' }, set: ['initFrom.optimizer=keep'] };
  const open = (changes: object) =>
    openStudy(writeMiniSweep(temporaryFolder(), { ...withStages({ after }), ...changes }));
  expect(userErrorLine(() => open({}))).toMatch(/^row 'grown': no stage takes 'double', and no score is read of it/);
  const scores = [...MINI_SWEEP.scores, { name: 'before', stage: 'double', metric: 'validation/loss' }];
  expect(open({ scores }).cells).toHaveLength(8);
});
