import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type EvaluatedSet, EvaluateExperiment, type Evaluation, evaluate, ROWS } from '#fusion';
import { readCocoCaptions, readPredictions } from '#fusion/captionData';
import { bestConstantCaption } from '#fusion/metrics';
import { generateScenes, ScenesConfig } from '#fusion/scenes';
import { languageHidden, languageLogits, loadLanguageModel, summedTokenLoss } from '#language';
import { selectEngine, tf } from '#src/engine';
import { readJson } from '#src/storage';
import { writeCheckpoint } from '#src/training';
import { recordedOutput } from '../support/streams.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { rejectedLine } from '../support/thrown.js';
import { COLOUR_NAMES, writeTinyCaptions } from '../support/tinyCaptions.js';
import { stirFusion, tinyJointModel } from '../support/tinyJointModel.js';

beforeAll(async () => {
  await selectEngine('wasm');
});

/** A folder with captions and a model that says something else of each image. */
async function prepared(): Promise<string> {
  const folder = temporaryFolder();
  const model = tinyJointModel(folder);
  stirFusion(model, 3);
  const { config } = model;
  const tensors = await model.tree.toHost();
  const tokenizer = Buffer.from(JSON.stringify(readJson(join(folder, 'tokenizer.json'), 'tokenizer')));
  writeCheckpoint(join(folder, 'aligned'), {
    model: { format: 1, kind: 'fusion', config },
    tensors,
    assets: new Map([['tokenizer.json', tokenizer]]),
  });
  model.dispose();
  await writeTinyCaptions(folder);
  return folder;
}

const SEEN = { name: 'seen', captions: 'captions.json' };

async function evaluateTiny(
  folder: string,
  overrides: Partial<EvaluateExperiment> = {},
): Promise<Evaluation & { outDir: string; lines: readonly string[] }> {
  const output = recordedOutput();
  const outDir = join(folder, 'evaluation');
  const experiment: EvaluateExperiment = {
    kind: 'evaluate',
    name: 'evaluation',
    seed: 5,
    model: 'aligned',
    sets: [SEEN],
    maxTokens: 8,
    batchSize: 3,
    ...overrides,
  };
  const evaluation = await evaluate(experiment, { root: folder, cacheDir: join(folder, 'cache'), outDir, output });
  return { ...evaluation, outDir, lines: output.lines };
}

function row({ rows }: EvaluatedSet, name: string): EvaluatedSet['rows'][number] {
  return rows.find((entry) => entry.name === name)!;
}

describe('evaluate', () => {
  it('scores the model, its controls and the best constant caption', async () => {
    const folder = await prepared();
    const { sets } = await evaluateTiny(folder, { constantFrom: 'captions.json' });
    const names = [ROWS.model, ROWS.shuffled, ROWS.blind, ROWS.untrained, ROWS.constant];
    expect(sets[0].rows.map(({ name }) => name)).toEqual(names);
    expect(sets[0].numImages).toBe(COLOUR_NAMES.length);
    for (const { name, captionNll, bleu1, ciderD, attributes } of sets[0].rows) {
      expect(captionNll === null).toBe(name === ROWS.constant);
      expect([bleu1, ciderD].every(Number.isFinite)).toBe(true);
      expect(attributes).toBeNull();
    }
    expect(row(sets[0], ROWS.untrained).captionNll).not.toBe(row(sets[0], ROWS.model).captionNll);
  });

  it('adds the row of the upper bound when there is such a model', async () => {
    const folder = await prepared();
    const { sets } = await evaluateTiny(folder, { upperBound: 'merged' });
    expect(row(sets[0], ROWS.upperBound).captionNll).toBeCloseTo(row(sets[0], ROWS.untrained).captionNll!, 5);
    const without = await evaluateTiny(folder, { upperBound: 'not-there' });
    expect(row(without.sets[0], ROWS.upperBound)).toBeUndefined();
  });

  it('writes COCO results for every row, readable and complete', async () => {
    const folder = await prepared();
    const { outDir, sets } = await evaluateTiny(folder, { constantFrom: 'captions.json' });
    const files = readdirSync(join(outDir, 'predictions', 'seen'));
    expect(files.sort()).toEqual([
      'blind-no-image.json',
      'constant-caption.json',
      'model.json',
      'shuffled-images.json',
      'zero-trained.json',
    ]);
    const imageIds = COLOUR_NAMES.map((_, i) => 10 + i);
    for (const file of files) {
      const predictions = readPredictions(join(outDir, 'predictions', 'seen', file), { imageIds });
      expect([...predictions.keys()]).toEqual(imageIds);
    }
    const own = readPredictions(join(outDir, 'predictions', 'seen', 'model.json'));
    expect(sets[0].samples.map(({ imageId, generated }) => [imageId, generated])).toEqual([...own]);
    const constant = readPredictions(join(outDir, 'predictions', 'seen', 'constant-caption.json'));
    const { caption } = bestConstantCaption(readCocoCaptions(join(folder, 'captions.json')).captions);
    expect(new Set(constant.values())).toEqual(new Set([caption]));
  });

  it('shuffles so that no image keeps its own caption', async () => {
    const folder = await prepared();
    const { outDir } = await evaluateTiny(folder);
    const read = (file: string): string[] => [...readPredictions(join(outDir, 'predictions', 'seen', file)).values()];
    const [own, shuffled] = [read('model.json'), read('shuffled-images.json')];
    // The captions are all different, so the shuffling can be read off them.
    expect(new Set(own).size).toBe(own.length);
    expect([...shuffled].sort()).toEqual([...own].sort());
    expect(shuffled.filter((caption, i) => caption === own[i])).toEqual([]);
  });

  it('gives as blind NLL the loss of the language model on the same captions', async () => {
    const folder = await prepared();
    const { sets } = await evaluateTiny(folder);
    const model = loadLanguageModel(join(folder, 'language'));
    const end = model.tokenizer.endOfTextId;
    let [sum, tokens] = [0, 0];
    for (const captions of readCocoCaptions(join(folder, 'captions.json')).captions.values()) {
      for (const caption of captions) {
        const ids = [end, ...model.tokenizer.encode(caption), end];
        sum += tf.tidy(() => {
          const input = tf.tensor2d([ids.slice(0, -1)], [1, ids.length - 1], 'int32');
          const { hidden } = languageHidden(model.tree, model.config, input);
          return summedTokenLoss(languageLogits(model.tree, hidden), Int32Array.from(ids.slice(1))).dataSync()[0];
        });
        tokens += ids.length - 1;
      }
    }
    model.dispose();
    expect(row(sets[0], ROWS.blind).captionNll).toBeCloseTo(sum / tokens, 5);
  });

  it('adds attribute accuracies where the truth is known', async () => {
    const folder = await prepared();
    const counts = { testSeen: 6, testHeldOut: 3, testDisagreeSeen: 2 };
    const none = { visionTrain: 0, visionVal: 0, languageTrain: 0, languageVal: 0, pairsTrain: 0, pairsVal: 0 };
    const config = ScenesConfig.parse({ imageSize: 24, counts: { ...none, testDisagreeHeldOut: 0, ...counts } });
    await generateScenes(config, join(folder, 'scenes'));
    const source = (split: string) => ({
      captions: `scenes/${split}/captions.json`,
      scenes: `scenes/${split}/scenes.json`,
    });
    const { sets, lines } = await evaluateTiny(folder, {
      sets: [
        { name: 'seen', ...source('test_seen') },
        { name: 'held-out', ...source('test_heldout') },
      ],
    });
    expect(sets.map(({ name, numImages }) => [name, numImages])).toEqual([
      ['seen', 6],
      ['held-out', 3],
    ]);
    for (const { rows, samples } of sets) {
      for (const { attributes } of rows) {
        expect(Object.keys(attributes!)).toEqual(
          expect.arrayContaining(['colour', 'shape', 'size', 'object', 'relation', 'relationDisagree', 'exactScene']),
        );
        expect(attributes).not.toHaveProperty('perImage');
      }
      expect(samples.every(({ exact }) => typeof exact === 'boolean')).toBe(true);
    }
    expect(lines.join('\n')).toMatch(/colour +shape +size +object +relation +exact/);
  });

  it('keeps what it found in evaluation.json', async () => {
    const folder = await prepared();
    const { outDir, sets } = await evaluateTiny(folder);
    expect(readJson(join(outDir, 'evaluation.json'), 'evaluation')).toEqual(JSON.parse(JSON.stringify({ sets })));
  });

  it('gives the same again', async () => {
    const folder = await prepared();
    const first = await evaluateTiny(folder);
    expect((await evaluateTiny(folder)).sets).toEqual(first.sets);
  });

  it('leaves no tensor behind', async () => {
    const folder = await prepared();
    const { numTensors } = tf.memory();
    await evaluateTiny(folder, { upperBound: 'merged' });
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  it('refuses scenes that do not know an image, naming file and image', async () => {
    const folder = await prepared();
    writeFileSync(join(folder, 'scenes.json'), JSON.stringify({ scenes: [{ id: 10 }] }));
    const refused = await rejectedLine(evaluateTiny(folder, { sets: [{ ...SEEN, scenes: 'scenes.json' }] }));
    expect(refused).toMatch(/scenes\.json: .*11/);
  });

  it('looks for every file before it works on the first set', async () => {
    const folder = await prepared();
    const sets = [SEEN, { name: 'other', captions: 'not-there.json' }];
    expect(await rejectedLine(evaluateTiny(folder, { sets }))).toContain('not-there.json');
    expect(existsSync(join(folder, 'evaluation'))).toBe(false);
  });

  it('refuses two sets of one name, whose predictions would overwrite each other', () => {
    const experiment = (names: string[]) =>
      EvaluateExperiment.safeParse({
        kind: 'evaluate',
        name: 'evaluation',
        model: 'aligned',
        sets: names.map((name) => ({ ...SEEN, name })),
      });
    expect(experiment(['seen', 'held-out']).success).toBe(true);
    expect(experiment(['seen', 'seen']).error?.issues[0].message).toContain("got 'seen' again");
    expect(experiment(['../elsewhere']).success).toBe(false);
  });

  it('says which model is missing', async () => {
    const folder = await prepared();
    rmSync(join(folder, 'aligned'), { recursive: true });
    expect(await rejectedLine(evaluateTiny(folder))).toContain('cannot find a model at');
    expect(await rejectedLine(evaluateTiny(folder, { model: 'vision' }))).toContain('expected a merged model');
  });
});
