import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { captionImages, fusionMethods, imageStates, type JointModel, loadJointModel, openCaptionPairs } from '#fusion';
import { selectEngine, tf } from '#src/engine';
import { stackGroups } from '#src/tokenformer';
import { observeAlignment } from '../../../fusion/alignment/observeAlignment.js';
import { pixelTensor } from '../../../fusion/stateCache.js';
import { createTokenWeights } from '../../../fusion/tokenWeights.js';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { writeTinyBackbones } from '../../support/tinyBackbones.js';
import { writeTinyCaptions } from '../../support/tinyCaptions.js';
import { mergeTiny, stirFusion } from '../../support/tinyJointModel.js';

beforeAll(async () => {
  await selectEngine('wasm');
});

/** A merged model with random bridges, and pairs to look at it with. */
async function prepared(method: string) {
  const folder = temporaryFolder();
  writeTinyBackbones(folder);
  await writeTinyCaptions(folder);
  const model = loadJointModel(mergeTiny(folder, { method }));
  stirFusion(model);
  const source = { captions: join(folder, 'captions.json') };
  const places = { seqLen: 32, cacheDir: join(folder, 'cache') };
  const validation = await openCaptionPairs(
    source,
    model.config.vision,
    model.tokenizer,
    createTokenWeights([]),
    places,
  );
  const statesOf = (pairs: typeof validation, positions: ArrayLike<number>): tf.Tensor4D =>
    imageStates(model, pixelTensor(model, pairs, positions));
  return { folder, model, validation, statesOf, count: 8 };
}

async function values({ tree }: JointModel): Promise<string> {
  return JSON.stringify([...(await tree.toHost())].map(([name, { values: all }]) => [name, ...all]));
}

describe.each(fusionMethods().map(({ name }) => name))('what TensorBoard shows of an alignment by %s', (method) => {
  it('is the use of every text group, the captions of pictures, and the pictures; and changes nothing', async () => {
    const alignment = await prepared(method);
    const { folder, model, validation, statesOf } = alignment;
    const before = [await values(model), tf.memory().numTensors];
    const { histograms = {}, texts = {}, images = {} } = await observeAlignment(alignment, true);
    expect([await values(model), tf.memory().numTensors]).toEqual(before);

    const { stack } = model.config.language.backbone;
    for (let block = 0; block < stack.numLayers; block++) {
      for (const { name, paramTokens } of stackGroups(stack, 'language')) {
        const use = histograms[`use/${name}/block${block}/ffn`];
        expect(use).toHaveLength(paramTokens.ffn);
        expect(Array.from(use).every((each) => each >= 0 && Number.isFinite(each))).toBe(true);
      }
    }
    // What fusion added is looked at too, wherever it reads.
    const groups = new Set(Object.keys(histograms).map((tag) => tag.split('/')[1]));
    expect([...groups].filter((name) => name !== 'language' && name !== 'vision').length).toBeGreaterThan(0);

    const states = tf.tidy(() => statesOf(validation, [0, 1, 2, 3]));
    const decoding = { method: 'greedy', maxTokens: 24, minTokens: 0, repetitionPenalty: 1, stopTokens: [] } as const;
    const expected = await captionImages(model, states, { decoding: { ...decoding, stopTokens: [] }, bridge: true });
    states.dispose();
    const rows = texts.captions.split('\n').slice(2);
    expect(rows).toHaveLength(4);
    const plain = (text: string): string => text.replace(/\\(.)/g, '$1').replace(/\s+/g, ' ').trim();
    expect(plain(rows[0])).toBe(plain(`| 1: a red square | ${expected[0]} |`));

    const picture = images['pictures/1: a red square'];
    const [shown, read] = await Promise.all(
      [Buffer.from(picture.png), readFileSync(join(folder, 'images/red.png'))].map((bytes) =>
        sharp(bytes).removeAlpha().raw().toBuffer(),
      ),
    );
    expect([picture.width, picture.height]).toEqual([16, 16]);
    expect(shown.equals(read)).toBe(true);
    expect(Object.keys((await observeAlignment(alignment, false)).images ?? {})).toEqual([]);
    validation.close();
    model.dispose();
  });
});
