import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compareCaptions } from '#captions/metrics';
import { compareRuns, comparisonPage, configDifferences, finalNumbers, groupText } from '#comparison';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { refusal, tokenfuse } from '../support/tokenfuse.js';
import { trainingLines, writeEvaluationOf, writeRun } from '../support/writtenRun.js';

const TRUTH = ['a red square', 'the blue circle sits here', 'two small dogs', 'a green ring on the ground'];
const none = (line: string): never => {
  throw new Error(`no line expected, got: ${line}`);
};

/** Two language runs that differ in seed and learning rate, and two evaluations. */
function prepared(): string {
  const folder = temporaryFolder();
  writeRun(join(folder, 'a/language'), { seed: 1 });
  writeRun(join(folder, 'b/language'), { seed: 2, training: { learningRate: 0.1, patience: 3 } });
  writeEvaluationOf(join(folder, 'a/scores'), TRUTH, TRUTH);
  writeEvaluationOf(join(folder, 'b/scores'), [...TRUTH.slice(1), TRUTH[0]], TRUTH);
  return folder;
}

describe('runs side by side', () => {
  it('are grouped by kind, with the keys that differ alone', () => {
    const folder = prepared();
    const { groups } = compareRuns([join(folder, 'a'), join(folder, 'b')], 10, none);
    expect(groups.map(({ kind, runs }) => [kind, runs.map(({ letter, label }) => `${letter} ${label}`)])).toEqual([
      ['language', ['a a/language', 'b b/language']],
      ['evaluate', ['a a/scores', 'b b/scores']],
    ]);
    expect(configDifferences(groups[0])).toEqual([
      { key: 'seed', values: [1, 2] },
      { key: 'training.learningRate', values: [0.01, 0.1] },
      { key: 'training.patience', values: [undefined, 3] },
    ]);
  });

  it('have the last values of training, and the scores of evaluations with their intervals', () => {
    const folder = prepared();
    const { groups } = compareRuns([folder], 10, none);
    const numbers = new Map(finalNumbers(groups[0]).map(({ name, values }) => [name, values]));
    expect(numbers.get('best validation/loss')).toEqual([1.1, 1.2]);
    expect(numbers.get('train/loss')).toEqual([1.5, 1.5]);
    expect(numbers.get('seconds a step')).toEqual([0.5, 0.5]);
    expect(finalNumbers(groups[1])).toContainEqual({
      ...{ set: 'seen', name: 'ciderD', values: [3, 3] },
      intervals: [
        [2, 4],
        [2, 4],
      ],
    });
  });

  it('have the paired bootstrap of tokenfuse compare for captions of the same images', () => {
    const { sets } = compareRuns([prepared()], 50, none);
    const captions = (words: readonly string[]) => new Map(words.map((caption, id) => [id, caption]));
    const references = new Map(TRUTH.map((caption, id) => [id, [caption]]));
    const expected = compareCaptions(captions(TRUTH), captions([...TRUTH.slice(1), TRUTH[0]]), references, {
      seed: 0,
      samples: 50,
    });
    expect(sets).toHaveLength(1);
    expect(sets[0].duels[0].comparison).toEqual(expected);
    expect(expected.scores.ciderD).toMatchObject({ wins: 4, losses: 0 });
  });

  it('are not compared by captions where their images or references are others', () => {
    const folder = prepared();
    writeEvaluationOf(join(folder, 'b/scores'), TRUTH, ['another', ...TRUTH.slice(1)]);
    const lines: string[] = [];
    expect(compareRuns([folder], 10, (line) => lines.push(line)).sets).toEqual([]);
    expect(lines).toEqual([
      expect.stringMatching(/b\/scores: set seen: expected the images and references of .*a\/scores$/),
    ]);
  });

  it('are shown in 80 columns', async () => {
    const { stdout, code } = await tokenfuse(['runs', 'compare', 'a', 'b'], prepared());
    expect(code).toBe(0);
    expect(stdout).toMatch(/^training\.learningRate +0\.01 +0\.1$/m);
    expect(stdout).toMatch(/^CIDEr-D .*4\/0\/0$/m);
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('must be two at least', async () => {
    const folder = prepared();
    expect(await refusal(['runs', 'compare', 'a/language'], folder, 2)).toContain(
      'expected at least two runs, found 1',
    );
    expect(await refusal(['runs', 'compare', 'a', 'nothing'], folder, 2)).toContain('nothing: expected a folder');
  });

  it('survive evaluations that are broken, with a line each', () => {
    for (const text of [
      '',
      '{',
      '{"sets":3}',
      '{"sets":[{"name":"x"}]}',
      '[]',
      '{"sets":[{"name":"seen","numImages":1,"rows":[{"name":1}],"samples":[]}]}',
    ]) {
      const folder = prepared();
      writeFileSync(join(folder, 'b/scores/evaluation.json'), text);
      const lines: string[] = [];
      const { groups, sets } = compareRuns([folder], 10, (line) => lines.push(line));
      expect(sets).toEqual([]);
      expect(lines, text).toHaveLength(1);
      expect(lines[0]).toContain('evaluation.json');
      for (const group of groups) groupText(group);
    }
  });
});

describe('the page of a comparison', () => {
  const pageOf = async (folder: string) => {
    const { groups, sets } = compareRuns([folder], 10, none);
    return comparisonPage(groups, sets, ['a line']);
  };

  it('draws every metric against step, tokens, FLOPs and time', async () => {
    const page = await pageOf(prepared());
    for (const axis of ['step', 'tokens', 'FLOPs', 'seconds of training']) {
      expect(page).toContain(`aria-label="train/loss over ${axis}: a/language, b/language"`);
    }
    // Step 10 of the run lies at 1,000 tokens, 1e9 FLOPs and 5 s.
    expect(page).toContain('<title>a/language at tokens 1,000: 2</title>');
    expect(page).toContain('<title>a/language at FLOPs 1,000,000,000: 2</title>');
    expect(page).toContain('<title>a/language at seconds of training 5: 2</title>');
  });

  it('shows captions of the same pictures, the bootstrap and what could not be read', async () => {
    const page = await pageOf(prepared());
    expect(page).toContain('<dt>b/scores</dt><dd>the blue circle sits here');
    expect(page).toContain('<td class="number">4 / 0 / 0</td>');
    expect(page).toContain('<li>a line</li>');
  });

  it('asks for nothing and escapes what files say', async () => {
    const folder = prepared();
    const bad = '<img src=https://example.org/x onerror=alert(1)>';
    writeEvaluationOf(join(folder, 'a/scores'), [bad, ...TRUTH.slice(1)], TRUTH);
    writeRun(join(folder, 'b/language'), { seed: 2, name: bad, lines: trainingLines(1) });
    const page = await pageOf(folder);
    expect(page).toContain('default-src &#39;none&#39;');
    expect(page).not.toContain('<script');
    expect(page).not.toMatch(/<img src=http|<link|@import|url\(/);
    expect(page).toContain('&lt;img src=https://example.org/x onerror=alert(1)&gt;');
  });

  it('is written to its place, again too, and over no other file', async () => {
    const folder = prepared();
    const words = ['runs', 'compare', 'a', 'b', '--out', 'page.html'];
    for (let i = 0; i < 2; i++) expect((await tokenfuse(words, folder)).code).toBe(0);
    expect(readFileSync(join(folder, 'page.html'), 'utf8')).toContain('<title>tokenfuse: runs compared');
    writeFileSync(join(folder, 'page.html'), 'mine');
    expect(await refusal(words, folder, 2)).toContain('expected a new or empty place, got a file');
    expect(readFileSync(join(folder, 'page.html'), 'utf8')).toBe('mine');
  });
});
