import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { ProbedImages } from '#captions/metrics';
import {
  type CaptionPairs,
  captionLogits,
  choiceIntervals,
  choiceShares,
  createChoiceProbe,
  createTokenWeights,
  imageContexts,
  imageStates,
  type JointModel,
  type MadeChoice,
  openCaptionPairs,
  pixelTensor,
} from '#fusion';
import {
  generateScenes,
  ownSideAnswers,
  RELATION_OF_WORD,
  RELATIONS,
  type Relation,
  type SceneRecord,
  ScenesConfig,
  sceneProbe,
} from '#scenes';
import { selectEngine, tf } from '#src/engine';
import { readMetrics } from '#src/tracking';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { rejectedLine } from '../support/thrown.js';
import { alignTiny, tinyAlignment } from '../support/tinyAlign.js';
import { COLOUR_NAMES, writeTinyCaptions } from '../support/tinyCaptions.js';
import { stirFusion, tinyJointModel } from '../support/tinyJointModel.js';

beforeAll(async () => {
  await selectEngine('wasm');
});

const NONE = Object.fromEntries(Object.keys(ScenesConfig.parse({}).counts).map((name) => [name, 0]));

interface Drawn {
  readonly folder: string;
  readonly model: JointModel;
  readonly pairs: CaptionPairs;
  readonly scenes: readonly SceneRecord[];
  readonly images: ProbedImages;
}

/** A stirred tiny model and 12 drawn scenes of one to three objects, with a tokenizer that knows their words. */
async function drawn(vocabSize = 400): Promise<Drawn> {
  const folder = temporaryFolder();
  const counts = { ...NONE, pairsVal: 12 };
  await generateScenes(ScenesConfig.parse({ captionsPerImage: 2, counts }), join(folder, 'data'));
  const captions = join(folder, 'data/pairs/val/captions.json');
  const { annotations } = JSON.parse(readFileSync(captions, 'utf8')) as { annotations: { caption: string }[] };
  const words = Object.keys(RELATION_OF_WORD).map((word) => `a ${word} a ${word}`);
  const texts = [...annotations.map(({ caption }) => caption), ...words, ...words];
  const model = tinyJointModel(folder, {}, { texts, vocabSize });
  stirFusion(model);
  const places = { seqLen: 128, cacheDir: join(folder, 'cache') };
  const pairs = await openCaptionPairs(
    { captions },
    model.config.vision,
    model.tokenizer,
    createTokenWeights([]),
    places,
  );
  onTestFinished(() => {
    pairs.close();
    model.dispose();
  });
  const truth = join(folder, 'data/pairs/val/scenes.json');
  const { scenes } = JSON.parse(readFileSync(truth, 'utf8')) as { scenes: SceneRecord[] };
  expect(scenes.map(({ id }) => id)).toEqual(pairs.imageIds);
  return { folder, model, pairs, scenes, images: sceneProbe.open(truth, pairs.imageIds) };
}

/** How the model weighs the relations after 'a … circle', one caption at a time and by the whole vocabulary. */
async function weights({ model, pairs }: Drawn, image: number, prefix: string): Promise<Map<Relation, number>> {
  const ids = [model.tokenizer.endOfTextId, ...model.tokenizer.encode(prefix)];
  const probabilities = tf.tidy(() => {
    const contexts = imageContexts(model, imageStates(model, pixelTensor(model, pairs, [image])), { bridge: true });
    const { logits } = captionLogits(model, tf.tensor2d([ids], undefined, 'int32'), { bridge: true, contexts });
    return tf.softmax(tf.slice(logits, [ids.length - 1, 0], [1, -1]));
  });
  const values = await probabilities.data();
  const sums = new Map<Relation, number>();
  for (const [word, relation] of Object.entries(RELATION_OF_WORD)) {
    const id = model.tokenizer.encode(`${prefix} ${word}`)[ids.length - 1];
    sums.set(relation, (sums.get(relation) ?? 0) + values[id]);
  }
  return sums;
}

const OPPOSITE: Readonly<Record<Relation, Relation>> = { left: 'right', right: 'left', above: 'below', below: 'above' };

describe('choiceShares', () => {
  it('counts all choices, and those that no shortcut answers by themselves', () => {
    const choice = (right: number, own: boolean): MadeChoice => ({ image: 0, right, shortcut: own });
    expect(choiceShares([choice(1, true), choice(0.5, false), choice(0, false), choice(1, true)])).toEqual({
      all: 0.625,
      withoutShortcut: 0.25,
    });
    expect(choiceShares([])).toEqual({ all: null, withoutShortcut: null });
  });
});

describe('choiceIntervals', () => {
  it('weighs every image alike, however many captions it has', () => {
    const choice = (image: number, right: number, own: boolean): MadeChoice => ({
      image,
      right,
      shortcut: own,
    });
    const choices = [choice(0, 1, true), choice(0, 1, false), choice(0, 1, true), choice(1, 0, true)];
    const found = choiceIntervals(choices, 1);
    expect([found?.all.mean, found?.disagree?.mean]).toEqual([0.5, 1]);
    expect([found?.all.low, found?.all.high]).toEqual([0, 1]);
  });

  it('has nothing where nothing was chosen', () => {
    expect(choiceIntervals([], 1)).toBeNull();
    expect(choiceIntervals([{ image: 0, right: 1, shortcut: true }], 1)?.disagree).toBeNull();
  });
});

describe('createChoiceProbe', () => {
  it('asks at the first relation word of every caption whether what it states is likelier than its opposite', async () => {
    const all = await drawn();
    const { model, pairs, scenes, images } = all;
    const expected: MadeChoice[] = [];
    for (const [image, captions] of pairs.captions.entries()) {
      for (const caption of captions) {
        const [, prefix, word, rest] =
          /^(.*?) (?:to the )?(left|right|above|over|below|under)( .*)$/.exec(caption) ?? [];
        if (prefix === undefined || rest === undefined) continue;
        const named = (text: string) => {
          const [, colour, shape] = /a \w+ (\w+) (\w+)/.exec(text) as RegExpExecArray;
          return scenes[image].objects.find((object) => object.colour === colour && object.shape === shape)!;
        };
        const stated = RELATION_OF_WORD[word];
        const weight = await weights(all, image, prefix);
        expected.push({
          image,
          right: Number(weight.get(stated)! > weight.get(OPPOSITE[stated])!),
          shortcut: ownSideAnswers(scenes[image], named(prefix), named(rest), RELATIONS[stated].axis),
        });
      }
    }
    expect(expected.length).toBeGreaterThan(8);
    expect(new Set(expected.map(({ right }) => right)).size).toBe(2);
    const choice = createChoiceProbe(model, pairs, sceneProbe.choice, images);
    const statesOf = (at: Int32Array) => imageStates(model, pixelTensor(model, pairs, at));
    expect('choose' in choice && (await choice.choose(statesOf, 5))).toEqual(expected);
  });

  it('is not there for a tokenizer that begins different relations with one token', async () => {
    const { model, pairs, images } = await drawn(257);
    expect(createChoiceProbe(model, pairs, sceneProbe.choice, images)).toEqual({
      lacking: 'the tokenizer begins different relation words with one token',
    });
  });

  it('adds its shares to the validation metrics of an alignment', async () => {
    const { folder } = await drawn();
    await writeTinyCaptions(folder);
    const validation = { captions: 'data/pairs/val/captions.json', scenes: 'data/pairs/val/scenes.json' };
    const data = { train: { captions: 'captions.json' }, validation, seqLen: 128 };
    const { runDir } = await alignTiny(folder, tinyAlignment({ data }));
    const logged = readMetrics(runDir).filter(({ values }) => 'validation/captionNll' in values);
    expect(logged.map(({ step }) => step)).toEqual([0, 4, 8]);
    for (const { values } of logged) expect(values['validation/relation']).toBeLessThanOrEqual(1);
  });

  it('is refused for an alignment whose validation captions state nothing', async () => {
    const { folder } = await drawn();
    await writeTinyCaptions(folder);
    const ids = COLOUR_NAMES.map((_, i) => ({ id: 10 + i, imageSize: 16, objects: [] }));
    writeFileSync(join(folder, 'scenes.json'), JSON.stringify({ scenes: ids }));
    const source = { captions: 'captions.json' };
    const data = { train: source, validation: { ...source, scenes: 'scenes.json' }, seqLen: 128 };
    expect(await rejectedLine(alignTiny(folder, tinyAlignment({ data })))).toBe(
      'data.validation.scenes: has no effect: no caption states a relation; remove it',
    );
  });
});
