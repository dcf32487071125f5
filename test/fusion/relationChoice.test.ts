import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  type CaptionPairs,
  captionLogits,
  createRelationProbe,
  createTokenWeights,
  imageContexts,
  imageStates,
  type JointModel,
  openCaptionPairs,
  pixelTensor,
  type RelationChoice,
  relationIntervals,
  relationShares,
} from '#fusion';
import {
  generateScenes,
  ownSideAnswers,
  RELATION_OF_WORD,
  RELATIONS,
  type Relation,
  readScenes,
  type Scene,
  ScenesConfig,
} from '#scenes';
import { selectEngine, tf } from '#src/engine';
import { readMetrics } from '#src/tracking';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { alignTiny, tinyAlignment } from '../support/tinyAlign.js';
import { writeTinyCaptions } from '../support/tinyCaptions.js';
import { stirFusion, tinyJointModel } from '../support/tinyJointModel.js';

beforeAll(async () => {
  await selectEngine('wasm');
});

const NONE = Object.fromEntries(Object.keys(ScenesConfig.parse({}).counts).map((name) => [name, 0]));

interface Drawn {
  readonly folder: string;
  readonly model: JointModel;
  readonly pairs: CaptionPairs;
  readonly scenes: readonly Scene[];
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
  return { folder, model, pairs, scenes: readScenes(join(folder, 'data/pairs/val/scenes.json'), pairs.imageIds) };
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

describe('relationShares', () => {
  it("counts all choices, and those that the first object's own side does not answer by themselves", () => {
    const choice = (right: number, own: boolean): RelationChoice => ({ image: 0, right, ownSideAnswers: own });
    expect(relationShares([choice(1, true), choice(0.5, false), choice(0, false), choice(1, true)])).toEqual({
      all: 0.625,
      disagree: 0.25,
    });
    expect(relationShares([])).toEqual({ all: null, disagree: null });
  });
});

describe('relationIntervals', () => {
  it('weighs every image alike, however many captions it has', () => {
    const choice = (image: number, right: number, own: boolean): RelationChoice => ({
      image,
      right,
      ownSideAnswers: own,
    });
    const choices = [choice(0, 1, true), choice(0, 1, false), choice(0, 1, true), choice(1, 0, true)];
    const found = relationIntervals(choices, 1);
    expect([found?.all.mean, found?.disagree?.mean]).toEqual([0.5, 1]);
    expect([found?.all.low, found?.all.high]).toEqual([0, 1]);
  });

  it('has nothing where nothing was chosen', () => {
    expect(relationIntervals([], 1)).toBeNull();
    expect(relationIntervals([{ image: 0, right: 1, ownSideAnswers: true }], 1)?.disagree).toBeNull();
  });
});

describe('createRelationProbe', () => {
  it('asks at the first relation word of every caption whether what it states is likelier than its opposite', async () => {
    const all = await drawn();
    const { model, pairs, scenes } = all;
    const expected: RelationChoice[] = [];
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
          ownSideAnswers: ownSideAnswers(scenes[image], named(prefix), named(rest), RELATIONS[stated].axis),
        });
      }
    }
    expect(expected.length).toBeGreaterThan(8);
    expect(new Set(expected.map(({ right }) => right)).size).toBe(2);
    const probe = createRelationProbe(model, pairs, (at) => imageStates(model, pixelTensor(model, pairs, at)), scenes);
    expect('choose' in probe && (await probe.choose(5))).toEqual(expected);
  });

  it('is not there for a tokenizer that begins different relations with one token', async () => {
    const { model, pairs, scenes } = await drawn(257);
    const probe = createRelationProbe(model, pairs, () => tf.zeros([1, 1, 4, 8]), scenes);
    expect(probe).toEqual({ lacking: 'the tokenizer begins different relation words with one token' });
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
});
