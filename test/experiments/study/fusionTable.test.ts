import { describe, expect, it } from 'vitest';
import { studyFigure } from '../../../experiments/study/fusionFigure.js';
import type { StudyRecord, StudySet } from '../../../experiments/study/fusionRecord.js';
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

const RECORDS = [
  record('bridge', 1, 500, [row('model', 0.5, 4), row('blind', 1.2, 0.1)], true),
  record('bridge', 1, 2000, [row('model', 0.4, 5), row('blind', 1.1, 0.2)], true),
  record('zero', 1, null, [row('model', 2, 0)]),
  record('bridge', 2, 500, [row('model', 0.7, 3), row('blind', 1.4, 0.3)], true),
  record('bridge', 2, 2000, [row('model', 0.6, 6), row('blind', 1.3, 0.4)], true),
  record('zero', 2, null, [row('model', 3, 0)]),
];

describe('the table of a study', () => {
  const lines = studyLines(RECORDS);

  it('has one line per row and number of pairs, and the controls of the largest number last', () => {
    expect(lines.map(({ name, pairs, trained }) => [name, pairs, trained])).toEqual([
      ['bridge', 500, 1234],
      ['bridge', 2000, 1234],
      ['zero', null, 0],
      ['control: blind', null, null],
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
      '| control: blind | – | – | 2 | 1.200 (1.100–1.300) | 0.300 (0.200–0.400) |',
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
    expect(dots.slice(1).map((x) => Math.round(x))).toEqual([521, 630, 330, 346]);
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
