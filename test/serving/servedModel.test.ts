import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { listImageArguments } from '#captions/formats';
import { pairNlls } from '#evaluation/likelihood';
import { type CaptionedFile, captionImageFiles, imageStates, loadJointModel } from '#fusion';
import { Decoding, generateText, loadLanguageModel } from '#language';
import { openServedModel, type ServedModel } from '#serving';
import { tf } from '#src/engine';
import { decodeImage, pixelValuesOf } from '#vision';
import type { AnyBatch, CaptionScore, Works } from '../../serving/works.js';
import { describeEachEngine } from '../engine/eachEngine.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { writeTinyBackbones } from '../support/tinyBackbones.js';
import { writeTinyCaptions } from '../support/tinyCaptions.js';
import { mergeTiny } from '../support/tinyJointModel.js';

const WHOLE = { groups: [], prefix: undefined, sparsity: undefined };

/** A merged model, its backbones, and pictures as a server has them. */
async function tinyServed() {
  const folder = temporaryFolder();
  writeTinyBackbones(folder);
  const path = mergeTiny(folder);
  await writeTinyCaptions(folder);
  const { images } = listImageArguments([join(folder, 'images')]);
  const model = loadJointModel(path);
  const { backbone, preprocessing } = model.config.vision;
  const settings = { imageSize: backbone.imageSize, ...preprocessing };
  const pixels = await Promise.all(images.map(async (image) => decodeImage(readFileSync(image.path), settings)));
  return { folder, path, images, model, pixels };
}

async function resultsOf<Result>(served: ServedModel, batch: AnyBatch): Promise<Result[]> {
  const outcomes = await served.run(batch);
  return outcomes.map((outcome) => {
    if ('refusal' in outcome) throw new Error(outcome.refusal);
    return outcome.result as Result;
  });
}

describeEachEngine('a served model', () => {
  it('captions as tokenfuse caption does, whatever the batch', async () => {
    const { path, images, model, pixels } = await tinyServed();
    const served = await openServedModel(path, WHOLE);
    for (const given of [{ method: 'greedy' }, { method: 'beam', width: 2 }, { method: 'sample', seed: 4 }] as const) {
      const decoding = Decoding.parse({ maxTokens: 8, ...given });
      const expected: CaptionedFile[] = [];
      for await (const batch of captionImageFiles(model, images, { decoding, batchSize: 32 })) expected.push(...batch);
      const wanted = expected.map(({ candidates }) => candidates.map(({ caption }) => caption));
      expect(new Set(wanted.flat()).size).toBeGreaterThan(1);
      for (const size of [1, 3, 8]) {
        const found: Works['caption']['result'][] = [];
        for (let first = 0; first < images.length; first += size) {
          const items = images
            .slice(first, first + size)
            .map(({ id }, i) => ({ imageId: id, pixels: pixels[first + i] }));
          found.push(
            ...(await resultsOf<Works['caption']['result']>(served, { work: 'caption', setting: decoding, items })),
          );
        }
        expect(
          found.map((candidates) => candidates.map(({ caption }) => caption)),
          `batches of ${size}`,
        ).toEqual(wanted);
      }
    }
    served.dispose();
    model.dispose();
  });

  it('scores captions as tokenfuse evaluate does, and their words add up', async () => {
    const { path, model, pixels } = await tinyServed();
    const captions = [['a red square'], ['a green square', 'the square is green'], ['blue'], ['a']];
    const served = await openServedModel(path, WHOLE);
    const items = captions.map((texts, i) => ({ pixels: pixels[i], captions: texts }));
    const scores = await resultsOf<CaptionScore[]>(served, { work: 'score', setting: null, items });
    const { imageSize } = model.config.vision.backbone;
    const cache = {
      bytes: 0,
      states: (positions: ArrayLike<number>) =>
        tf.tidy(() =>
          imageStates(
            model,
            pixelValuesOf(
              Array.from(positions, (i) => pixels[i]),
              imageSize,
            ),
          ),
        ),
    };
    const nlls = await pairNlls(model, cache, { imageIds: [1, 2, 3, 4], captions }, { batchSize: 32, bridge: true });
    expect(scores.map((of) => of.map(({ caption }) => caption))).toEqual(captions);
    for (const [i, { nats, tokens }] of nlls.entries()) {
      for (const [c, nll] of nats.entries()) {
        const { logProb, numTokens, words, endLogProb, caption } = scores[i][c];
        // The same rows in the same batch.
        expect(-logProb).toBe(nll);
        expect(numTokens).toBe(tokens[c]);
        expect(words.map(({ word }) => word).join(' ')).toBe(caption);
        const sum = words.reduce((total, word) => total + word.logProb, endLogProb);
        expect(Math.abs(sum - logProb)).toBeLessThan(1e-4);
      }
    }
    served.dispose();
    model.dispose();
  });

  it('embeds a picture alike in every batch, and as its vision backbone does', async () => {
    const { folder, path, model, pixels } = await tinyServed();
    const [joint, vision] = [await openServedModel(path, WHOLE), await openServedModel(join(folder, 'vision'), WHOLE)];
    const embed = (served: ServedModel, images: Uint8Array[]) =>
      resultsOf<Float32Array>(served, { work: 'embed', setting: null, items: images.map((one) => ({ pixels: one })) });
    const together = await embed(joint, pixels);
    const alone = (await Promise.all(pixels.map((one) => embed(vision, [one])))).flat();
    expect(together.map(({ length }) => length)).toEqual(pixels.map(() => 8));
    const difference = Math.max(
      ...together.map((vector, i) => Math.max(...vector.map((x, k) => Math.abs(x - alone[i][k])))),
    );
    expect(difference).toBeLessThan(1e-5);
    expect(Math.max(...together[0].map((x, k) => Math.abs(x - together[1][k])))).toBeGreaterThan(1e-3);
    expect(vision.description).toMatchObject({ kind: 'vision', works: ['embed'], pictures: { imageSize: 16 } });
    for (const served of [joint, vision, model]) served.dispose();
  });

  it('continues texts as tokenfuse generate does, and refuses one that is too long without the others', async () => {
    const { folder } = await tinyServed();
    const served = await openServedModel(join(folder, 'language'), WHOLE);
    expect(served.description).toMatchObject({ kind: 'language', works: ['generate'], pictures: null });
    const decoding = Decoding.parse({ method: 'greedy', maxTokens: 5 });
    const prompts = ['a red', 'x '.repeat(200), ''];
    const outcomes = await served.run({
      work: 'generate',
      setting: decoding,
      items: prompts.map((prompt) => ({ prompt })),
    });
    const model = loadLanguageModel(join(folder, 'language'));
    expect(outcomes[0]).toEqual({ result: await generateText(model, 'a red', decoding) });
    expect(outcomes[1]).toMatchObject({
      refusal: expect.stringMatching(/^prompt: expected at most 127 tokens, got \d+$/),
    });
    expect(outcomes[2]).toEqual({ result: await generateText(model, '', decoding) });
    served.dispose();
    model.dispose();
  });

  it('leaves no tensor behind', async () => {
    const { path, model, pixels } = await tinyServed();
    const served = await openServedModel(path, WHOLE);
    const decoding = Decoding.parse({ method: 'greedy', maxTokens: 4 });
    const work = async (): Promise<void> => {
      const items = pixels.map((one, i) => ({ pixels: one, imageId: i, captions: ['a red square'], prompt: 'a' }));
      await served.run({ work: 'caption', setting: decoding, items });
      await served.run({ work: 'score', setting: null, items });
      await served.run({ work: 'embed', setting: null, items });
      await served.run({ work: 'generate', setting: decoding, items });
    };
    await work();
    const before = tf.memory().numTensors;
    await work();
    expect(tf.memory().numTensors).toBe(before);
    served.dispose();
    model.dispose();
  });
});
