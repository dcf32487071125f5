import { expect, it } from 'vitest';
import { SweepExperiment } from '../../../experiments/config/sweepConfig.js';
import { spreadOf } from '../../../experiments/study/spread.js';
import { sweepFigures } from '../../../experiments/study/sweepFigure.js';
import type { SweepPoint } from '../../../experiments/study/sweepPoints.js';
import type { SweepRecord } from '../../../experiments/study/sweepStudy.js';
import { sweepTable } from '../../../experiments/study/sweepTable.js';
import { MINI_SWEEP } from '../../support/miniSweep.js';

const RATE = 'small.training.learningRate';
const SWEEP = SweepExperiment.parse({ ...MINI_SWEEP, grid: { [RATE]: [0.1, 0.2] } });

const record = (row: string, seed: number, point: SweepPoint, loss: number, FLOPs: number): SweepRecord => ({
  settings: { row, point, seed, digest: 'abc' },
  stages: [],
  provenance: { engine: { name: 'wasm', device: 'CPU' }, processor: '1 × test', commit: null },
  scores: { loss, FLOPs, 'after growth': row === 'grown' ? 2 * loss : null },
});
const RECORDS = [
  record('small', 1, { [RATE]: 0.1 }, 2, 1e9),
  record('large', 1, {}, 1.5, 4e9),
  record('grown', 1, { [RATE]: 0.1 }, 1.25, 5e9),
  record('small', 2, { [RATE]: 0.1 }, 3, 1e9),
  record('large', 2, {}, 1.7, 4e9),
];

it('has a line for each row and point, with the mean over seeds between the lowest and the highest', () => {
  expect(sweepTable(SWEEP, RECORDS).split('\n')).toEqual([
    `|  | ${RATE} | seeds | loss | FLOPs | after growth |`,
    '| --- | --: | --: | --: | --: | --: |',
    '| small | 0.1 | 2 | 2.500 (2.000–3.000) | 1.00e9 | – |',
    '| large | – | 2 | 1.600 (1.500–1.700) | 4.00e9 | – |',
    '| grown | 0.1 | 1 | 1.250 | 5.00e9 | 2.500 |',
    '',
  ]);
});

it('takes the median where the sweep says so', () => {
  const values = [4, 1, 2];
  expect(spreadOf(values, 'median')).toEqual({ centre: 2, low: 1, high: 4 });
  expect(spreadOf([...values, 3], 'median')?.centre).toBe(2.5);
  expect(spreadOf(values)?.centre).toBeCloseTo(7 / 3, 12);
  expect(spreadOf([1, null])).toBeNull();
});

/** The names in the legend of a figure, with the numbers of points that each line joins. */
function linesOf(svg: string): [string, number][] {
  const names = [...svg.matchAll(/<text x="21"[^>]*>([^<]*)/g)].map(([, name]) => name);
  const points = [...svg.matchAll(/<g class="series".*?<\/g>/g)].map(
    ([group]) => (group.match(/<title>/g) ?? []).length,
  );
  return names.map((name, i) => [name, points[i]]);
}

it('a figure joins the rows of a line, by x, with a bar over the seeds of each', () => {
  const [{ name, svg }] = sweepFigures(SWEEP, RECORDS);
  expect(name).toBe('mini-loss');
  expect(linesOf(svg)).toEqual([
    ['scratch', 2],
    ['grown', 1],
  ]);
  expect(svg.match(/<path d="M[\d.]+ [\d.]+V[\d.]+"/g)).toHaveLength(3);
});

it('a key can be the x axis', () => {
  const figures = [{ ...MINI_SWEEP.figures[0], x: RATE, logX: false }];
  const points = [0.1, 0.2].map((rate) => record('small', 1, { [RATE]: rate }, 1 / rate, 1));
  const [{ svg }] = sweepFigures(SweepExperiment.parse({ ...SWEEP, figures }), points);
  expect(linesOf(svg)).toEqual([['scratch', 2]]);
  expect(svg).toContain(`>${RATE}</text>`);
});
