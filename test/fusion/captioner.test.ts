import { join } from 'node:path';
import { expect, it } from 'vitest';
import {
  captionCandidates,
  captionImages,
  captionLogits,
  captionLoss,
  continueText,
  disposeContexts,
  imageContexts,
  imageStates,
  type JointModel,
  keepContexts,
} from '#fusion';
import { Decoding, decode, generateText, greedyToken, type Hypothesis, loadLanguageModel, textBatch } from '#language';
import { ENGINES, tf } from '#src/engine';
import { describeEachEngine } from '../engine/eachEngine.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { noisePixels, stirFusion, tinyJointModel } from '../support/tinyJointModel.js';

const IMAGES = 5;
const MAX_TOKENS = 10;
const GREEDY = { decoding: Decoding.parse({ method: 'greedy', maxTokens: MAX_TOKENS }), bridge: true };

/** A caption by running the whole sequence again for every token. */
function captionWithoutCache(model: JointModel, states: tf.Tensor4D): string {
  const end = model.tokenizer.endOfTextId;
  const ids = [end];
  while (ids.length <= MAX_TOKENS) {
    const next = tf.tidy(() => {
      const contexts = imageContexts(model, states, { bridge: true });
      const input = tf.tensor2d([ids], [1, ids.length], 'int32');
      const { logits } = captionLogits(model, input, { bridge: true, contexts });
      return greedyToken(tf.slice(logits, [ids.length - 1, 0], [1, -1]).dataSync() as Float32Array);
    });
    if (next === end) break;
    ids.push(next);
  }
  return model.tokenizer.decode(ids.slice(1)).trim();
}

describeEachEngine('captionCandidates', () => {
  it.each(['greedy', 'beam'] as const)('tell what they are so far, token by token: %s', async (method) => {
    const model = tinyJointModel(temporaryFolder());
    stirFusion(model, 3);
    const states = tf.tidy(() => imageStates(model, noisePixels(IMAGES)));
    const heard: (readonly string[])[] = [];
    const decoding = Decoding.parse({ method, maxTokens: 6 });
    const onProgress = (captions: readonly string[]): void => void heard.push(captions);
    const candidates = await captionCandidates(model, states, { decoding, bridge: true, onProgress });
    expect(heard.length).toBeGreaterThan(1);
    // A character that is not whole yet is left out.
    const whole = candidates.map(([{ caption }]) => caption.replace(/\uFFFD+$/, '').trim());
    expect(heard.at(-1)).toEqual(whole);
    for (const captions of heard) {
      expect(captions).toHaveLength(IMAGES);
      if (method === 'greedy') {
        for (const [i, caption] of captions.entries()) expect(whole[i].startsWith(caption)).toBe(true);
      }
    }
    states.dispose();
    model.dispose();
  });
});

describeEachEngine('decode, with what text reads of images,', (engine) => {
  const fusions = [
    { method: 'routed' },
    { method: 'routed', imageGate: 'closed' },
    { method: 'grouped', imageGate: 'closed' },
  ] as const;
  const cases = fusions.flatMap((fusion) =>
    (['greedy', 'beam'] as const).map((method) => [Object.values(fusion).join(' '), method, fusion] as const),
  );

  it.each(cases)('gives log p of the full pass: %s, %s', async (_, method, fusion) => {
    const model = tinyJointModel(temporaryFolder(), fusion);
    stirFusion(model);
    const end = model.tokenizer.endOfTextId;
    const states = tf.tidy(() => imageStates(model, noisePixels(IMAGES)));
    const contexts = keepContexts(() => imageContexts(model, states, { bridge: true }));
    const decoding = Decoding.parse({
      method,
      maxTokens: MAX_TOKENS,
      ...(method === 'beam' && { width: 3, nBest: 2 }),
    });
    const request = { rowNames: [0, 1, 2, 3, 4], prompt: [end], stopIds: [end], contexts };
    let results: Hypothesis[][] = [];
    const { kernelNames } = await tf.profile(async () => {
      results = await decode(
        (tokenIds, memory) => captionLogits(model, tokenIds, { bridge: true, keepCaches: true, ...memory }),
        request,
        decoding,
      );
      return tf.scalar(0);
    });
    if (ENGINES[engine].fusedKernels.DecodeBlocks !== undefined) expect(kernelNames).toContain('DecodeBlocks');
    for (const [image, state] of (tf.split(states, IMAGES) as tf.Tensor4D[]).entries()) {
      for (const { tokenIds, logProb, ended } of results[image]) {
        const labels = [...tokenIds, ...(ended ? [end] : [])];
        const loss = tf.tidy(() => {
          const batch = textBatch([Int32Array.of(end, ...labels)], labels.length, end);
          return captionLoss(model, batch, imageContexts(model, state, { bridge: true })).dataSync()[0];
        });
        // Measured up to 2.3e-7 of log p.
        expect(Math.abs(logProb + loss) / loss).toBeLessThan(3e-6);
      }
      state.dispose();
    }
    disposeContexts(contexts);
    states.dispose();
    model.dispose();
  });
});

describeEachEngine('captionImages', () => {
  for (const fusion of [
    { method: 'routed' },
    { method: 'routed', imageGate: 'closed' },
    { method: 'grouped' },
    { method: 'union' },
  ] as const) {
    it(`says with its cache what the full pass says without one, all images at once or one by one, ${Object.values(fusion)}`, async () => {
      const model = tinyJointModel(temporaryFolder(), fusion);
      stirFusion(model, 3);
      const states = tf.tidy(() => imageStates(model, noisePixels(IMAGES)));
      const together = await captionImages(model, states, GREEDY);
      // Images that all read alike would prove nothing.
      expect(new Set(together).size).toBeGreaterThan(IMAGES / 2);
      for (const [i, state] of (tf.split(states, IMAGES) as tf.Tensor4D[]).entries()) {
        expect(await captionImages(model, state, GREEDY)).toEqual([together[i]]);
        expect(captionWithoutCache(model, state)).toBe(together[i]);
        state.dispose();
      }
      states.dispose();
      model.dispose();
    });
  }

  it('says what the language model says by itself while its image gate is closed', async () => {
    const model = tinyJointModel(temporaryFolder(), { imageGate: 'closed' });
    const states = tf.tidy(() => imageStates(model, noisePixels(2)));
    const [blind] = await captionImages(model, undefined, GREEDY);
    expect(await captionImages(model, states, GREEDY)).toEqual([blind, blind]);
    stirFusion(model, 3);
    expect(await captionImages(model, states, GREEDY)).not.toEqual([blind, blind]);
    states.dispose();
    model.dispose();
  });

  it('says without an image what the language model says by itself', async () => {
    const folder = temporaryFolder();
    const model = tinyJointModel(folder);
    stirFusion(model, 3);
    const language = loadLanguageModel(join(folder, 'language'));
    const [alone] = await generateText(language, '', GREEDY.decoding);
    const blind = await captionImages(model, undefined, GREEDY);
    expect(blind).toEqual([alone.text.trim()]);
    const [asked] = await generateText(language, 'a', GREEDY.decoding);
    expect(await continueText(model, 'a', GREEDY.decoding)).toEqual([asked]);
    language.dispose();
    model.dispose();
  });

  it('gives by beam search at least as likely captions', async () => {
    const model = tinyJointModel(temporaryFolder());
    stirFusion(model, 3);
    const states = tf.tidy(() => imageStates(model, noisePixels(IMAGES)));
    const decoding = Decoding.parse({ method: 'beam', width: 4, nBest: 3, maxTokens: MAX_TOKENS });
    const beams = await captionCandidates(model, states, { decoding, bridge: true });
    const greedy = await captionCandidates(model, states, GREEDY);
    for (const [i, candidates] of beams.entries()) {
      expect(candidates).toHaveLength(3);
      // The margin is the rounding between batches of different size.
      expect(candidates[0].logProb).toBeGreaterThanOrEqual(greedy[i][0].logProb - 1e-4);
      expect(candidates[0].logProb).toBeGreaterThanOrEqual(candidates[2].logProb);
    }
    expect(beams.some(([{ caption }], i) => caption !== greedy[i][0].caption)).toBe(true);
    states.dispose();
    model.dispose();
  });

  it('leaves no tensor behind', async () => {
    const model = tinyJointModel(temporaryFolder());
    stirFusion(model, 3);
    const states = tf.tidy(() => imageStates(model, noisePixels(2)));
    const { numTensors } = tf.memory();
    await captionImages(model, states, GREEDY);
    expect(tf.memory().numTensors).toBe(numTensors);
    states.dispose();
    model.dispose();
  });
});
