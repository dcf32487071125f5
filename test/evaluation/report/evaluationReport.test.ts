import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { type CaptionSample, type EvaluatedSet, type EvaluationResult, ROWS } from '#evaluation';
import { type EvaluationReport, evaluationReportHtml, thumbnail } from '#evaluation/report';
import { type CaptionTrace, GROUP_NAMES, type GroupShares } from '#evaluation/traces';
import { Decoding } from '#language';
import { sceneProbe } from '#scenes';
import { createRandom } from '#src/random';
import { LAYER_NAMES } from '#src/tokenformer';
import { VisionModelConfig } from '#vision';
import { setTable } from '../../../evaluation/evaluationTable.js';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { rejectedLine } from '../../support/thrown.js';
import { TINY_STACK } from '../../support/tinyBackbones.js';

const NUM_IMAGES = 4;

async function writeImage(folder: string, side = 16): Promise<string> {
  const path = join(folder, `image${side}.png`);
  const random = createRandom(1, 'noise', side);
  const noise = Buffer.from(Array.from({ length: side * side * 3 }, () => random.integer(256)));
  await sharp(noise, { raw: { width: side, height: side, channels: 3 } }).toFile(path);
  return path;
}

function trace(position: number, words: readonly string[]): CaptionTrace {
  const shares: GroupShares = { vision: 0.1, language: 0.5, textBridge: 0.25, imageBridge: 0.15 };
  return {
    position,
    words: words.map((word, w) => ({
      word,
      patches: [0.1, 0.4 * w, 0, 0.05],
      imageAttention: 0.5,
      shares: Object.fromEntries(LAYER_NAMES.map((name) => [name, shares])) as never,
      tokens: [{ block: 1, layer: 'value', group: 'vision', token: 40 + w, share: 0.0125 }],
    })),
  };
}

/** A result of made-up numbers; every text of it is `text`. */
function resultOf(path: string, text = 'a red square'): EvaluationResult {
  const interval = { low: 0.4, high: 0.6 };
  const scored = { mean: 0.5, ...interval };
  const samples = Array.from(
    { length: NUM_IMAGES },
    (_, i): CaptionSample => ({
      imageId: 10 + i,
      image: { path },
      references: [text, text],
      generated: text,
      exact: null,
      bleu4: 0.1 * i,
      rougeL: 0.2,
      ciderD: i,
      captionNll: 1.5,
    }),
  );
  const rows = [ROWS.model, ROWS.blind].map(({ name }) => ({
    name,
    ...{ captionNll: 0.5, bleu1: 0.5, bleu4: 0.5, meteorExactStem: 0.5, rougeL: 0.5, ciderD: 1.5 },
    attributes: null,
    intervals: { captionNll: interval, ciderD: { low: 1.2, high: 1.8 } },
  }));
  const set: EvaluatedSet = {
    name: text,
    numImages: NUM_IMAGES,
    rows,
    domains: [],
    likelihood: {
      forcedChoice: { accuracy: scored, imageGain: scored },
      retrieval: {
        poolSize: 4,
        textToImage: [scored, scored, scored],
        imageToText: [scored, scored, scored],
        imageToTextPmi: [scored, scored, scored],
      },
      relationChoice: { all: scored, disagree: null },
    },
    diagnostics: {
      ...{ numImages: NUM_IMAGES, lengthRatio: 1.02, meanLength: 3, distinct1: 0.2, distinct2: 0.3 },
      ...{ vocabularySize: 7, numEmpty: 0, numDuplicates: 1, novelShare: 0.25, warnings: [text] },
    },
    samples,
    perImage: { [ROWS.model.name]: { ciderD: [0, 1, 2, 3], captionNll: [1, 1, 2, 2] } },
  };
  return {
    decoding: Decoding.parse({ method: 'greedy' }),
    sets: [set],
    traces: {
      sets: [{ set: text, captions: [trace(1, text.split(' ')), trace(3, text.split(' '))] }],
      parameterTokens: [
        {
          ...{ block: 2, layer: 'ffn', group: 'language', token: 7, share: 0.001 },
          words: [{ word: text, times: 3, share: 0.0025 }],
        },
      ],
    },
    vision: VisionModelConfig.parse({
      vision: { imageSize: 16, patchSize: 8, pooling: 'mean', stack: TINY_STACK },
      preprocessing: { resize: 'stretch', background: [255, 255, 255] },
      objectives: [{ kind: 'classify', weight: 1 }],
      labels: {},
    }),
    probe: sceneProbe,
  };
}

function reportOf(result: EvaluationResult, examples = 12): EvaluationReport {
  return {
    title: 'evaluation',
    created: '2026-01-31T12:30:59.123Z',
    provenance: { engine: 'cpu', device: 'CPU', node: 'v20', processor: 'p', seed: 0, command: 'tokenfuse evaluate' },
    result,
    experiment: { seed: 0, report: { examples, gallery: 2 } },
  };
}

describe('the report of an evaluation', () => {
  it('shows what gates let through, and how many pairs the controls from training captions saw', async () => {
    const result = resultOf(await writeImage(temporaryFolder()));
    const gates = { 'block0/attention/imageGate': [0.25, -0.125], 'block0/crossGate': [0.5] };
    const page = await evaluationReportHtml(reportOf({ ...result, gates, trainingPairs: 1500 }));
    const table = page.slice(page.indexOf('<h2>Gates</h2>'));
    for (const text of ['head 0', 'head 1', 'block0/attention/imageGate', '0.250', '-0.125', '0.500']) {
      expect(table).toContain(text);
    }
    expect(page).toContain('come from 1,500 training pairs');
    const without = await evaluationReportHtml(reportOf(result));
    expect(without).not.toContain('<h2>Gates</h2>');
    expect(without).not.toContain('training pairs.');
  });

  it('has every section, and needs nothing but itself', async () => {
    const page = await evaluationReportHtml(reportOf(resultOf(await writeImage(temporaryFolder()))));
    const titles = [...page.matchAll(/<h2>([^<]*)<\/h2>/g)].map(([, title]) => title);
    expect(titles).toEqual([
      'Scores',
      'Likelihood',
      'Distributions',
      'Lengths and variety',
      'Captions',
      'Words and patches',
      'Words and parameter tokens',
      'Every image',
      'Provenance',
    ]);
    const addresses = [...page.matchAll(/\b(?:src|href)="([^"]*)"/g)].map(([, to]) => to);
    expect(addresses.filter((to) => !/^(#[a-z]+|data:image\/(png|jpeg);base64,[A-Za-z0-9+/=]+)$/.test(to))).toEqual([]);
    expect(page.replaceAll('xmlns="http://www.w3.org/2000/svg"', '')).not.toMatch(/https?:\/\//);
  });

  it('judges captions of drawn scenes only: where just references are known nothing is marked as wrong', async () => {
    const result = resultOf(await writeImage(temporaryFolder()));
    const page = await evaluationReportHtml(reportOf(result));
    expect(page).not.toMatch(/[✓✗] (not )?correct/);
    const [set] = result.sets;
    const sets = [{ ...set, samples: set.samples.map((sample) => ({ ...sample, exact: false })) }];
    expect(await evaluationReportHtml(reportOf({ ...result, sets }))).toContain('✗ not correct');
  });

  it('says of images that are gone since that they are not readable', async () => {
    const page = await evaluationReportHtml(reportOf(resultOf('/gone/since/image.png')));
    // Two best, two worst, two random captions, and two traced ones.
    expect(page.match(/image not readable/g)).toHaveLength(8);
    expect(page).toContain('<h2>Words and patches</h2>');
  });

  it('says that scores are of a part of the set, in the report and in the table', async () => {
    const result = resultOf(await writeImage(temporaryFolder()));
    const note = '2 of 6 images could not be read and are left out';
    expect(await evaluationReportHtml(reportOf(result))).not.toContain('left out');
    const sets = result.sets.map((set) => ({ ...set, numLeftOut: 2 }));
    expect(await evaluationReportHtml(reportOf({ ...result, sets }))).toContain(note);
    expect(setTable(sets[0], undefined)).toContain(note);
    expect(setTable(result.sets[0], undefined)).not.toContain('left out');
  });

  it('shows perplexity beside the NLL, with its interval', async () => {
    const page = await evaluationReportHtml(reportOf(resultOf(await writeImage(temporaryFolder()))));
    // exp 0.5, and of the interval 0.4 to 0.6.
    expect(page).toMatch(/1\.649<small>1\.492–1\.822<\/small>/);
  });

  it('shows the forced choice of relations, where captions state any', async () => {
    const result = resultOf(await writeImage(temporaryFolder()));
    expect(await evaluationReportHtml(reportOf(result))).toContain('<h3>Relations by likelihood</h3>');
    const [set] = result.sets;
    const sets = [{ ...set, likelihood: { ...set.likelihood, relationChoice: null } }];
    expect(await evaluationReportHtml(reportOf({ ...result, sets }))).not.toContain('Relations by likelihood');
  });

  it('calls captions right or wrong where the truth is known, and no others', async () => {
    const result = resultOf(await writeImage(temporaryFolder()));
    expect(await evaluationReportHtml(reportOf(result))).not.toMatch(/✓ correct|✗ not correct/);
    const [set] = result.sets;
    const samples = set.samples.map((sample, i) => ({ ...sample, exact: i > 0 }));
    const page = await evaluationReportHtml(reportOf({ ...result, sets: [{ ...set, samples }] }));
    expect(page.match(/✗ not correct/g)!.length).toBeGreaterThan(0);
    expect(page.match(/✓ correct/g)!.length).toBeGreaterThan(page.match(/✗ not correct/g)!.length);
  });

  it('runs one script, the one whose hash its policy names', async () => {
    const { createHash } = await import('node:crypto');
    const page = await evaluationReportHtml(reportOf(resultOf(await writeImage(temporaryFolder()))));
    const scripts = [...page.matchAll(/<script>(.*?)<\/script>/gs)].map(([, text]) => text);
    expect(scripts).toHaveLength(1);
    expect(page).toContain(`script-src &#39;sha256-${createHash('sha256').update(scripts[0]).digest('base64')}&#39;`);
    // It parses: a mistake in it would leave the page without sorting and overlays, silently.
    expect(() => new Function(scripts[0])).not.toThrow();
  });

  it('escapes every text', async () => {
    const evil = '<img src=x onerror=alert(1)>';
    const page = await evaluationReportHtml(reportOf(resultOf(await writeImage(temporaryFolder()), evil)));
    expect(page).not.toContain('<img src=x');
    expect(page.split('&lt;img').length).toBeGreaterThan(10);
  });

  it('shows the attention of each word relative to the patch it attends to most', async () => {
    const page = await evaluationReportHtml(reportOf(resultOf(await writeImage(temporaryFolder()))));
    // 0.1, 0.8, 0 and 0.05 of 0.8, in two hexadecimal digits each.
    expect(page).toContain('data-patches="20ff0010"');
    expect(page.match(/class="card trace"/g)).toHaveLength(2);
    for (const group of GROUP_NAMES) expect(page).toContain(`class="from-${group}"`);
  });

  it('names the parameter tokens of a word, and the words of a parameter token', async () => {
    const page = await evaluationReportHtml(reportOf(resultOf(await writeImage(temporaryFolder()))));
    expect(page).toContain('parameter tokens: vision value 1·40 (1.25\u00a0%)');
    const table = page.slice(page.indexOf('Parameter tokens and the words that draw on them'));
    expect(table).toMatch(/ffn 2·7<small>0\.1 %<\/small>.*a red square <small>× 2\.5/s);
  });

  it('shows no more examples than asked for', async () => {
    const result = resultOf(await writeImage(temporaryFolder()));
    expect((await evaluationReportHtml(reportOf(result, 1))).match(/class="card trace"/g)).toHaveLength(1);
    expect(await evaluationReportHtml(reportOf(result, 0))).not.toContain('Words and patches');
  });

  it('leaves traces out where a method has none', async () => {
    const result = resultOf(await writeImage(temporaryFolder()));
    const page = await evaluationReportHtml(
      reportOf({ ...result, traces: { sets: [{ set: 'a red square', captions: [] }], parameterTokens: [] } }),
    );
    expect(page).not.toContain('parameter tokens</h2>');
  });

  it('lists every image with its scores', async () => {
    const page = await evaluationReportHtml(reportOf(resultOf(await writeImage(temporaryFolder()))));
    const table = /<table class="sortable">.*?<\/table>/s.exec(page)![0];
    expect(table.match(/<tr>/g)).toHaveLength(1 + NUM_IMAGES);
    expect(table).toContain('data-value="3">3.000');
  });
});

describe('thumbnail', () => {
  it('keeps a small PNG as it is and makes a large image small', async () => {
    const folder = temporaryFolder();
    const small = await thumbnail({ path: await writeImage(folder, 16) });
    expect(Buffer.from(small).subarray(1, 4).toString()).toBe('PNG');
    const large = await thumbnail({ path: await writeImage(folder, 700) });
    expect(await sharp(large).metadata()).toMatchObject({ format: 'jpeg', width: 320, height: 320 });
  });

  it('names a file that is no image', async () => {
    const path = join(temporaryFolder(), 'broken.jpg');
    writeFileSync(path, 'no image');
    expect(await rejectedLine(thumbnail({ path }))).toMatch(/cannot decode image .*broken\.jpg: /);
  });
});
