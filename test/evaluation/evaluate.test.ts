import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readEvents } from 'tensorboard-writer';
import { beforeAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { captionsById, loadCaptions, readPredictions } from '#captions/formats';
import { bestConstantCaptions, type CaptionProbe } from '#captions/metrics';
import {
  type EvaluatedSet,
  EvaluateExperiment,
  type EvaluationResult,
  evaluate,
  ROWS,
  readEvaluation,
  writeEvaluation,
  writeEvaluationEvents,
} from '#evaluation';
import { type FusionInput, loadJointModel } from '#fusion';
import { Decoding, languageHidden, loadLanguageModel, summedTokenLoss } from '#language';
import { generateScenes, RELATION_OF_WORD, ScenesConfig, sceneProbe } from '#scenes';
import { selectEngine, tf } from '#src/engine';
import { readJson } from '#src/storage';
import { listEventFiles } from '#src/tracking';
import { writeCheckpoint } from '#src/training';
import { recordedOutput } from '../support/streams.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { rejectedLine } from '../support/thrown.js';
import type { TinyBackboneOptions } from '../support/tinyBackbones.js';
import { COLOUR_NAMES, writeTinyCaptions } from '../support/tinyCaptions.js';
import { stirFusion, tinyJointModel } from '../support/tinyJointModel.js';

beforeAll(async () => {
  await selectEngine('wasm');
});

/** A folder with captions and a model that says something else of each image. */
async function prepared(backbones: TinyBackboneOptions = {}, fusion: FusionInput = {}): Promise<string> {
  const folder = temporaryFolder();
  const model = tinyJointModel(folder, fusion, backbones);
  stirFusion(model, 3);
  const { config } = model;
  const tensors = await model.tree.toHost();
  const tokenizer = Buffer.from(JSON.stringify(readJson(join(folder, 'tokenizer.json'), 'tokenizer')));
  writeCheckpoint(join(folder, 'aligned'), {
    model: { kind: 'fusion', config },
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
  overrides: Partial<z.input<typeof EvaluateExperiment>> = {},
  probe: CaptionProbe | undefined = sceneProbe,
): Promise<EvaluationResult & { outDir: string; lines: readonly string[] }> {
  const output = recordedOutput();
  const outDir = join(folder, 'evaluation');
  const experiment = EvaluateExperiment.parse({
    kind: 'evaluate',
    name: 'evaluation',
    seed: 5,
    model: 'aligned',
    sets: [SEEN],
    decoding: Decoding.parse({ method: 'greedy', maxTokens: 8 }),
    batchSize: 3,
    bootstrapSamples: 100,
    ...overrides,
  });
  const evaluation = await evaluate(experiment, {
    root: folder,
    cacheDir: join(folder, 'cache'),
    outDir,
    output,
    probe,
  });
  writeEvaluation(outDir, evaluation);
  return { ...evaluation, outDir, lines: output.lines };
}

/** Knows the colour of every image of `writeTinyCaptions`. */
const colourProbe: CaptionProbe = {
  attributes: ['colourNamed'],
  columns: [{ attribute: 'colourNamed', label: 'colour', note: 'share right', shortLabel: 'colour' }],
  choice: {
    ...sceneProbe.choice,
    words: ['red', 'blue'],
    options: { red: ['red'], blue: ['blue'] },
  },
  open: (_, imageIds) => ({
    assess: (caption, image) => {
      const right = caption.split(' ').includes(COLOUR_NAMES[imageIds[image] - 10]);
      return { shares: { colourNamed: [Number(right), 1] }, counts: { images: 1 }, exact: right };
    },
    stated: () => undefined,
  }),
};

function row({ rows }: EvaluatedSet, { name }: { readonly name: string }): EvaluatedSet['rows'][number] {
  return rows.find((entry) => entry.name === name)!;
}

describe('evaluate', () => {
  it('writes its scores and its experiment for TensorBoard, once', async () => {
    const folder = await prepared();
    const { outDir, sets } = await evaluateTiny(folder);
    const experiment = EvaluateExperiment.parse({
      kind: 'evaluate',
      name: 'scores',
      seed: 5,
      model: 'aligned',
      sets: [SEEN],
    });
    for (let i = 0; i < 2; i++) writeEvaluationEvents(outDir, experiment, { sets });
    const files = listEventFiles(join(outDir, 'events'));
    expect(files).toHaveLength(1);
    const values = readEvents(files[0]).flatMap((event) => event.values);
    const scores = new Map(values.flatMap((value) => (value.kind === 'scalar' ? [[value.tag, value.value]] : [])));
    const { ciderD, captionNll } = sets[0].rows[0];
    expect(scores.get('scores/seen/ciderD')).toBe(Math.fround(ciderD));
    expect(scores.get('scores/seen/captionNll')).toBe(Math.fround(captionNll ?? Number.NaN));
    expect(values.flatMap((value) => (value.kind === 'hparams' ? value.content : []))).toMatchObject([
      { type: 'sessionStart', values: { kind: 'evaluate', seed: 5, 'sets.0.name': 'seen' } },
    ]);
  });

  it('scores the model, its controls and the best constant caption', async () => {
    const folder = await prepared();
    const { sets } = await evaluateTiny(folder, { train: { captions: 'captions.json' } });
    const names = Object.values(ROWS).flatMap((way) => (way === ROWS.upperBound ? [] : [way.name]));
    expect(sets[0].rows.map(({ name }) => name)).toEqual(names);
    expect(sets[0].numImages).toBe(COLOUR_NAMES.length);
    for (const { name, captionNll, bleu1, ciderD, attributes } of sets[0].rows) {
      const unweighed: string[] = [ROWS.neighbour, ROWS.constant, ROWS.constantBleu4, ROWS.human].map(
        (way) => way.name,
      );
      expect(captionNll === null).toBe(unweighed.includes(name));
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
    const { outDir, sets } = await evaluateTiny(folder, { train: { captions: 'captions.json' } });
    const files = readdirSync(join(outDir, 'predictions', 'seen'));
    expect(files.sort()).toEqual([
      'blank-image.json',
      'blind-no-image.json',
      'constant-bleu-4.json',
      'constant-cider-d.json',
      'human-leave-one-out.json',
      'model.json',
      'nearest-neighbour.json',
      'random-vision.json',
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
    const constant = readPredictions(join(outDir, 'predictions', 'seen', 'constant-cider-d.json'));
    const training = captionsById(loadCaptions(join(folder, 'captions.json')));
    const [{ caption }] = bestConstantCaptions(training, ['ciderD'], { seed: 5 });
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
    for (const captions of captionsById(loadCaptions(join(folder, 'captions.json'))).values()) {
      for (const caption of captions) {
        const ids = [end, ...model.tokenizer.encode(caption), end];
        sum += tf.tidy(() => {
          const input = tf.tensor2d([ids.slice(0, -1)], [1, ids.length - 1], 'int32');
          const { hidden } = languageHidden(model.tree, model.config, input);
          return summedTokenLoss(model.tree, hidden, Int32Array.from(ids.slice(1))).dataSync()[0];
        });
        tokens += ids.length - 1;
      }
    }
    model.dispose();
    expect(row(sets[0], ROWS.blind).captionNll).toBeCloseTo(sum / tokens, 5);
  });

  it('takes the caption of the training image that looks alike: with the test set for training, its own', async () => {
    const folder = await prepared();
    const { sets } = await evaluateTiny(folder, { train: { captions: 'captions.json' } });
    // A reference of the image itself.
    expect(Math.min(...sets[0].perImage[ROWS.neighbour.name].ciderD)).toBeGreaterThan(3);
  });

  it('looks up and chooses constants among the pairs that alignment saw, and says how many', async () => {
    const folder = await prepared();
    writeFileSync(join(folder, 'aligned', 'config.json'), JSON.stringify({ kind: 'align', data: { maxPairs: 3 } }));
    const { sets, outDir, trainingPairs, lines } = await evaluateTiny(folder, { train: { captions: 'captions.json' } });
    expect(trainingPairs).toBe(3);
    expect(readEvaluation(outDir).trainingPairs).toBe(3);
    expect(lines.join('\n')).toContain('constant captions and nearest neighbours come from 3 training pairs');
    const [first, second] = COLOUR_NAMES;
    const seen = [`a ${first} square`, `the square is ${first}`, `a ${second} square`];
    for (const file of ['nearest-neighbour', 'constant-cider-d', 'constant-bleu-4']) {
      const said = [...readPredictions(join(outDir, 'predictions', 'seen', `${file}.json`)).values()];
      expect(
        said.filter((caption) => !seen.includes(caption)),
        file,
      ).toEqual([]);
    }
    // With two images to look at, only these are found again.
    const found = sets[0].perImage[ROWS.neighbour.name].ciderD;
    expect(Math.min(...found.slice(0, 2))).toBeGreaterThan(3);
    expect(Math.max(...found.slice(2))).toBeLessThan(Math.min(...found.slice(0, 2)));
  });

  it('keeps what the gates let through, of a model that has some', async () => {
    const folder = await prepared({}, { imageGate: 'closed' });
    const { outDir, gates } = await evaluateTiny(folder);
    const model = loadJointModel(join(folder, 'aligned'));
    const name = 'block1/attention/imageGate';
    const values = model.tree.variable(name).dataSync();
    model.dispose();
    expect(Object.keys(gates!)).toEqual(['block0/attention/imageGate', name]);
    expect(gates![name]).toEqual(Array.from(values, Math.tanh));
    expect(readEvaluation(outDir).gates).toEqual(gates);
    expect(await evaluateTiny(await prepared())).not.toHaveProperty('gates');
  });

  it('leaves expensive controls out when told, and the others in', async () => {
    const folder = await prepared();
    const { sets } = await evaluateTiny(folder, {
      train: { captions: 'captions.json' },
      controls: { randomVision: false, nearestNeighbour: false },
      retrieval: { poolSize: 0 },
    });
    const names = sets[0].rows.map(({ name }) => name);
    expect(names).not.toContain(ROWS.randomVision.name);
    expect(names).not.toContain(ROWS.neighbour.name);
    expect(names).toEqual(expect.arrayContaining([ROWS.blank.name, ROWS.constant.name, ROWS.human.name]));
    expect(sets[0].likelihood.retrieval).toBeNull();
  });

  it('gives every score of every row an interval that holds it', async () => {
    const folder = await prepared();
    const { sets } = await evaluateTiny(folder);
    for (const { intervals, attributes: _, name: __, ...scores } of sets[0].rows) {
      for (const [score, value] of Object.entries(scores)) {
        const interval = intervals[score as keyof typeof intervals];
        if (value === null) expect(interval).toBeUndefined();
        else expect([interval!.low <= value + 1e-9, interval!.high >= value - 1e-9]).toEqual([true, true]);
      }
    }
  });

  it('scores the images of each domain by themselves', async () => {
    const folder = await prepared();
    const path = join(folder, 'captions.json');
    const coco = readJson(path, 'captions') as { images: { domain?: string }[] };
    for (const [i, image] of coco.images.entries()) image.domain = i < 3 ? 'in-domain' : 'out-domain';
    writeFileSync(path, JSON.stringify(coco));
    const nocaps = { name: 'seen', captions: { format: 'nocaps' as const, path: 'captions.json' } };
    const { sets } = await evaluateTiny(folder, { sets: [nocaps] });
    expect(sets[0].domains.map(({ domain, numImages }) => [domain, numImages])).toEqual([
      ['in-domain', 3],
      ['out-domain', COLOUR_NAMES.length - 3],
    ]);
    const own = sets[0].perImage[ROWS.model.name].ciderD.slice(0, 3);
    expect(sets[0].domains[0].row.ciderD).toBeCloseTo(own.reduce((sum, value) => sum + value, 0) / 3, 9);
  });

  it('adds attribute accuracies and the forced choice of relations where the truth is known', async () => {
    const words = Object.keys(RELATION_OF_WORD).map((word) => `a ${word} a ${word}`);
    const folder = await prepared({ texts: [...words, ...words], vocabSize: 400 });
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
        { name: 'disagree', ...source('test_disagree_seen') },
      ],
    });
    expect(sets.map(({ name, numImages }) => [name, numImages])).toEqual([
      ['seen', 6],
      ['held-out', 3],
      ['disagree', 2],
    ]);
    const { all, disagree } = sets[2].likelihood.relationChoice!;
    expect(disagree).toEqual(all);
    expect(lines.join('\n')).toContain(`stated relation likelier than its opposite: ${all.mean.toFixed(3)}`);
    for (const { rows, samples } of sets) {
      for (const { attributes } of rows) {
        expect(Object.keys(attributes!)).toEqual([...sceneProbe.attributes, 'counts']);
      }
      expect(samples.every(({ exact }) => typeof exact === 'boolean')).toBe(true);
    }
    expect(lines.join('\n')).toMatch(/object +relation +exact/);
    expect(lines.join('\n')).toMatch(/perplexity +BLEU-1 +BLEU-4 +METEOR-like +ROUGE-L/);
    for (const line of lines.join('\n').split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('asks any probe, one that knows no scenes among them, and shows what it found by its names', async () => {
    const folder = await prepared();
    const { sets, lines } = await evaluateTiny(
      folder,
      { sets: [{ ...SEEN, scenes: 'colours.json' }], train: { captions: 'captions.json' } },
      colourProbe,
    );
    const human = row(sets[0], ROWS.human);
    expect(human.attributes).toEqual({ colourNamed: 1, counts: { images: COLOUR_NAMES.length } });
    expect(human.intervals.colourNamed).toEqual({ low: 1, high: 1 });
    // Trained on the test set, the nearest neighbour is the image itself; one caption for all names one colour at most.
    expect(row(sets[0], ROWS.neighbour).attributes?.colourNamed).toBe(1);
    expect(row(sets[0], ROWS.constant).attributes?.colourNamed).toBeLessThanOrEqual(1 / COLOUR_NAMES.length);
    expect(sets[0].samples.every(({ exact }) => exact === false)).toBe(true);
    expect(sets[0].likelihood.relationChoice).toBeNull();
    expect(lines.join('\n')).toMatch(/NLL +CIDEr-D +colour\n/);
  });

  it('refuses ground truth when there is no probe to read it', async () => {
    const folder = await prepared();
    const sets = [{ ...SEEN, scenes: 'scenes.json' }];
    const experiment = EvaluateExperiment.parse({ kind: 'evaluate', name: 'e', model: 'aligned', sets });
    const options = {
      root: folder,
      cacheDir: join(folder, 'cache'),
      outDir: join(folder, 'e'),
      output: recordedOutput(),
    };
    expect(await rejectedLine(evaluate(experiment, options))).toMatch(
      /^scenes: expected a probe that reads .*, got none/,
    );
  });

  it('keeps what it found in evaluation.json', async () => {
    const folder = await prepared();
    const { outDir, decoding, sets, traces } = await evaluateTiny(folder);
    const kept = readEvaluation(outDir);
    expect(kept).toEqual(JSON.parse(JSON.stringify({ decoding, sets })));
    expect(readJson(join(outDir, 'traces.json'), 'traces')).toEqual(JSON.parse(JSON.stringify(traces)));
  });

  it('prints scores of captions without scenes, perplexity among them, in 80 columns', async () => {
    const { sets, lines } = await evaluateTiny(await prepared());
    const text = lines.join('\n');
    expect(text).toMatch(/NLL +CIDEr-D +BLEU-4 +METEOR-like +ROUGE-L/);
    const perplexity = Math.exp(row(sets[0], ROWS.model).captionNll!);
    expect(Number(/perplexity +BLEU-1\n.*\nmodel +([\d.]+)/.exec(text)![1]) / perplexity).toBeCloseTo(1, 2);
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
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
