import { expect, it } from 'vitest';
import { SweepExperiment } from '../../../experiments/config/sweepConfig.js';
import { pointWords, sweepPoints } from '../../../experiments/study/sweepPoints.js';
import { MINI_SWEEP } from '../../support/miniSweep.js';

const pointsOf = (changes: object, row = 3) => {
  const sweep = SweepExperiment.parse({ ...MINI_SWEEP, ...changes });
  return sweepPoints(sweep, sweep.rows[row]);
};
const GRID = { 'small.training.learningRate': [0.1, 0.2], 'after.training.warmupSteps': [0, 1] };

it('a row without keys is run once', () => {
  expect(pointsOf({})).toEqual([{}]);
});

it('a grid gives every combination of the values of its row’s stages', () => {
  expect(pointsOf({ grid: GRID })).toEqual(
    [0.1, 0.2].flatMap((rate) =>
      [0, 1].map((steps) => ({ 'small.training.learningRate': rate, 'after.training.warmupSteps': steps })),
    ),
  );
});

it('a row without the stage of a key is not run for its values', () => {
  expect(pointsOf({ grid: GRID }, 0)).toEqual([
    { 'small.training.learningRate': 0.1 },
    { 'small.training.learningRate': 0.2 },
  ]);
  expect(pointsOf({ grid: GRID }, 1)).toEqual([{}]);
});

it('random points are drawn from their seed, inside their ranges, evenly in the logarithm', () => {
  const keys = {
    'small.training.learningRate': { from: 1e-4, to: 1e-2, log: true },
    'small.training.batchSize': [4, 8],
  };
  const random = { draws: 200, seed: 3, keys };
  const points = pointsOf({ random }, 0);
  expect(points).toEqual(pointsOf({ random }, 0));
  expect(points).not.toEqual(pointsOf({ random: { ...random, seed: 4 } }, 0));
  const rates = points.map((point) => Number(point['small.training.learningRate']));
  expect(Math.min(...rates)).toBeGreaterThanOrEqual(1e-4);
  expect(Math.max(...rates)).toBeLessThanOrEqual(1e-2);
  // Half of them are below the geometric mean: 100 ± 4 · √50.
  expect(Math.abs(rates.filter((rate) => rate < 1e-3).length - points.length / 2)).toBeLessThan(29);
  expect(new Set(points.map((point) => point['small.training.batchSize']))).toEqual(new Set([4, 8]));
});

it('more draws begin with the same points', () => {
  const keys = { 'small.training.learningRate': { from: 0, to: 1 } };
  const [few, many] = [3, 5].map((draws) => pointsOf({ random: { draws, keys } }, 0));
  expect(many.slice(0, 3)).toEqual(few);
});

it('a point changes its own stages', () => {
  const point = { 'small.model.stack.gelu': 'tanh', 'smaller.training.steps': 5 };
  expect(pointWords(point, 'small')).toEqual(['model.stack.gelu="tanh"']);
});
