import { describe, expect, it } from 'vitest';
import type { CaptionSample, EvaluatedSet } from '#evaluation';
import { studyFigure } from '../../../experiments/study/fusionFigure.js';
import { pairsFigures } from '../../../experiments/study/fusionPairsFigure.js';
import { type StudyRecord, type StudySet, studySet } from '../../../experiments/study/fusionRecord.js';
import { scoreSpread, studyLines, studyMarkdown } from '../../../experiments/study/fusionTable.js';

type Row = StudySet['rows'][number];

const row = (name: string, captionNll: number | null, ciderD: number): Row => ({
  name,
  scores: {
    ...{ NLL: captionNll, 'CIDEr-D': ciderD, 'BLEU-4': 0, objects: null, relation: null, 'scene exact': null },
    ...{ 'relation choice': null, 'relation choice*': null },
  },
});

const record = (name: string, seed: number, pairs: number | null, rows: Row[], controls = false): StudyRecord => ({
  settings: {
    row: { name, vision: 'trained', language: 'trained', merge: [], align: pairs === null ? false : [] },
    seed,
    pairs,
    controls,
    digest: 'abc',
  },
  trainableParameters: pairs === null ? 0 : 1234,
  backboneParameters: 10_000,
  seconds: 1,
  provenance: { engine: { name: 'wasm', device: 'CPU' }, processor: '1 × test', commit: null },
  sets: [{ name: 'seen', numImages: 2, rows }],
});

const lookUp = (ciderD: number): Row => row('nearest neighbour', null, ciderD);

const RECORDS = [
  record('bridge', 1, 500, [row('model', 0.5, 4), row('blind (no image)', 1.2, 0.1), lookUp(2)], true),
  record('bridge', 1, 2000, [row('model', 0.4, 5), row('blind (no image)', 1.1, 0.2), lookUp(3)], true),
  record('zero', 1, null, [row('model', 2, 0)]),
  record('bridge', 2, 500, [row('model', 0.7, 3), row('blind (no image)', 1.4, 0.3), lookUp(2.2)], true),
  record('bridge', 2, 2000, [row('model', 0.6, 6), row('blind (no image)', 1.3, 0.4), lookUp(3.2)], true),
  record('zero', 2, null, [row('model', 3, 0)]),
];

describe('the table of a study', () => {
  const lines = studyLines(RECORDS);

  it('has one line per row and number of pairs, and the controls last: those of training captions at each number', () => {
    expect(lines.map(({ name, pairs, trained }) => [name, pairs, trained])).toEqual([
      ['bridge', 500, 1234],
      ['bridge', 2000, 1234],
      ['zero', null, 0],
      ['control: blind (no image)', null, null],
      ['control: nearest neighbour', 500, null],
      ['control: nearest neighbour', 2000, null],
    ]);
    expect(lines[3].sets.get('seen')!.map(({ NLL }) => NLL)).toEqual([1.1, 1.3]);
  });

  it('shows the mean over seeds between the lowest and the highest', () => {
    expect(scoreSpread(lines[1].sets.get('seen')!, 'NLL')).toEqual({ centre: 0.5, low: 0.4, high: 0.6 });
    expect(studyMarkdown(lines, ['NLL', 'CIDEr-D', 'objects']).split('\n')).toEqual([
      '**seen**',
      '',
      '|  | pairs | trained | seeds | NLL | CIDEr-D |',
      '| --- | --: | --: | --: | --: | --: |',
      '| bridge | 500 | 1,234 | 2 | 0.600 (0.500–0.700) | 3.500 (3.000–4.000) |',
      '| bridge | 2,000 | 1,234 | 2 | 0.500 (0.400–0.600) | 5.500 (5.000–6.000) |',
      '| zero | – | 0 | 2 | 2.500 (2.000–3.000) | 0.000 |',
      '| control: blind (no image) | – | – | 2 | 1.200 (1.100–1.300) | 0.300 (0.200–0.400) |',
      '| control: nearest neighbour | 500 | – | 2 | – | 2.100 (2.000–2.200) |',
      '| control: nearest neighbour | 2,000 | – | 2 | – | 3.100 (3.000–3.200) |',
      '',
    ]);
  });

  it('has no score for a line of which one seed has none', () => {
    expect(scoreSpread([row('constant', null, 1).scores, row('constant', 2, 1).scores], 'NLL')).toBeNull();
  });
});

describe('the figure of a study', () => {
  it('draws a dot at the mean of each line, on a scale from 0 to the highest', () => {
    const { markup } = studyFigure(studyLines(RECORDS), 'CIDEr-D', 'CIDEr-D & more', 10);
    const dots = [...markup.matchAll(/<circle cx="([\d.]+)" cy="[\d.]+" r="4"/g)].map(([, x]) => Number(x));
    // The legend's dot, then one a line: 330 + value / 10 · 546.
    expect(dots.slice(1).map((x) => Math.round(x))).toEqual([521, 630, 330, 346, 445, 499]);
    expect(markup).toContain('CIDEr-D &amp; more');
    expect(markup).toContain('bridge, 2000 pairs');
  });

  it('begins to the right of its longest label', () => {
    const name = 'a way of joining with a rather long name, four times the steps';
    const lines = studyLines(RECORDS).map((line, i) => (i === 0 ? { ...line, name } : line));
    const { markup } = studyFigure(lines, 'CIDEr-D', 'CIDEr-D', 10);
    expect(markup).toContain(`${name}, 500 pairs`);
    const [, zero] = markup.match(/<line x1="([\d.]+)"/) ?? []; // the first tick's
    // 13 px of a sans-serif face: 6.2 px a character on average.
    expect(Number(zero)).toBeGreaterThan(8 + 6.2 * `${name}, 500 pairs`.length);
  });
});

describe('the figures by number of pairs', () => {
  const counts = [100, 400, 1500, 4000];
  const records = [1, 2].flatMap((seed) =>
    counts.flatMap((pairs, i) => [
      record('bridge', seed, pairs, [row('model', 3 - i / 2 + seed / 10, i), lookUp(i / 2)], true),
      record('all', seed, pairs, [row('model', 4 - i, 2 * i)]),
    ]),
  );

  it('are one for each test set and score, of the rows at four numbers of pairs or more', () => {
    const few = record('prefix', 1, 400, [row('model', 2, 1)]);
    const figures = pairsFigures('photos', studyLines([...records, few]), ['NLL', 'CIDEr-D', 'objects']);
    expect(figures.map(({ name }) => name)).toEqual(['photos-seen-nll', 'photos-seen-cider-d']);
    const names = ({ svg }: { svg: string }): string[] =>
      ['bridge', 'all', 'nearest neighbour', 'prefix'].filter((n) => svg.includes(n));
    expect(names(figures[0])).toEqual(['bridge', 'all']);
    expect(names(figures[1])).toEqual(['bridge', 'all', 'nearest neighbour']);
  });

  it('are none where no row has so many', () => {
    expect(pairsFigures('scenes', studyLines(RECORDS), ['NLL'])).toEqual([]);
  });
});

it('a record counts captions that are equal to a reference in words', () => {
  const sample = (generated: string, ...references: string[]): CaptionSample => ({
    ...{ imageId: 1, image: { path: 'a.png' }, generated, references, exact: null },
    ...{ bleu4: 0, rougeL: 0, ciderD: 0, captionNll: 0 },
  });
  const set = {
    ...{ name: 'seen', numImages: 4, domains: [], perImage: {} },
    rows: [
      {
        name: 'model',
        captionNll: 1,
        bleu1: 0,
        bleu4: 0,
        meteorExactStem: 0,
        rougeL: 0,
        ciderD: 0,
        attributes: null,
        intervals: {},
      },
    ],
    likelihood: { forcedChoice: {}, retrieval: null, relationChoice: undefined },
    samples: [
      sample('a red apple', 'an apple', 'A red apple.'),
      sample('two apples', 'two pears'),
      sample('', 'nothing'),
      sample('red apple', 'a red apple'),
    ],
  } as unknown as EvaluatedSet;
  expect(studySet(set).rows[0].scores).toMatchObject({ exact: 0.25, 'retrieval of an image': null });
});
