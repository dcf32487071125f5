import { expect, it } from 'vitest';
import { SweepExperiment } from '../../../experiments/config/sweepConfig.js';
import { sweepMatrices } from '../../../experiments/study/sweepMatrix.js';
import type { SweepRecord } from '../../../experiments/study/sweepStudy.js';
import { MINI_SWEEP } from '../../support/miniSweep.js';

const [SEED, RATE] = ['small.seed', 'small.training.learningRate'];
const MATRIX = {
  name: 'losses',
  title: 'Loss by rate and seed',
  across: { title: 'rates', keys: [RATE] },
  down: { title: 'seeds', keys: [SEED] },
  value: 'loss',
};
const withMatrix = (matrix: object) => ({
  ...MINI_SWEEP,
  grid: { [RATE]: [0.1, 0.2], [SEED]: [1, 2] },
  matrices: [matrix],
});
const SWEEP = SweepExperiment.parse(withMatrix(MATRIX));

const record = (seed: number, ofGrid: number, rate: number, loss: number): SweepRecord => ({
  settings: { row: 'small', point: { [RATE]: rate, [SEED]: ofGrid }, seed, digest: 'abc' },
  stages: [],
  provenance: { engine: { name: 'wasm', device: 'CPU' }, processor: '1 × test', commit: null },
  scores: { loss, FLOPs: 1, 'after growth': null },
});

/** Colour and letters of each cell, in order. */
function cellsOf(svg: string): [string, string][] {
  return [...svg.matchAll(/fill="(rgb\([^)]*\))"\/><text[^>]*>([^<]*)/g)].map(([, colour, text]) => [colour, text]);
}

it('has a cell for every point, of the mean over seeds, the lowest the darkest', () => {
  const records = [record(1, 1, 0.1, 1), record(2, 1, 0.1, 3), record(1, 1, 0.2, 4), record(1, 2, 0.1, 3)];
  const [{ name, title, svg }] = sweepMatrices(SWEEP, records);
  expect([name, title]).toEqual(['mini-losses', MATRIX.title]);
  expect(cellsOf(svg)).toEqual([
    ['rgb(15,118,110)', '2.000'],
    ['rgb(240,253,250)', '4.000'],
    ['rgb(128,186,180)', '3.000'],
  ]);
  for (const label of ['small · 0.1', 'small · 0.2', 'small · 1', 'small · 2'])
    expect(svg).toContain(`>${label}</text>`);
});

it('is all one colour where all values are, and empty without records', () => {
  expect(cellsOf(sweepMatrices(SWEEP, [record(1, 1, 0.1, 2)])[0].svg)).toEqual([['rgb(15,118,110)', '2.000']]);
  expect(cellsOf(sweepMatrices(SWEEP, [])[0].svg)).toEqual([]);
});

it('is refused with a key that is not of the grid, or a value that is no score', () => {
  const other = { ...MATRIX, down: { title: 'x', keys: ['small.name'] }, value: 'accuracy' };
  const messages = SweepExperiment.safeParse(withMatrix(other)).error?.issues.map(({ message }) => message);
  expect(messages).toEqual([
    `expected one of ${RATE}, ${SEED}; got 'small.name'`,
    expect.stringContaining("got 'accuracy'"),
  ]);
});
