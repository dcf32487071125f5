import { join } from 'node:path';
import { expect, it } from 'vitest';
import { captionImages, captionLogits, imageStates, type JointModel, readImages } from '#fusion';
import { generateText, greedyToken, loadLanguageModel } from '#language';
import { tf } from '#src/engine';
import { describeEachEngine } from '../engine/eachEngine.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { noisePixels, stirFusion, tinyJointModel } from '../support/tinyJointModel.js';

const IMAGES = 5;
const MAX_TOKENS = 10;

/** A caption by running the whole sequence again for every token. */
function captionWithoutCache(model: JointModel, states: tf.Tensor4D): string {
  const end = model.tokenizer.endOfTextId;
  const ids = [end];
  while (ids.length <= MAX_TOKENS) {
    const next = tf.tidy(() => {
      const contexts = readImages(model, states, { bridge: true });
      const input = tf.tensor2d([ids], [1, ids.length], 'int32');
      const { logits } = captionLogits(model, input, { bridge: true, contexts });
      return greedyToken(tf.slice(logits, [ids.length - 1, 0], [1, -1]).dataSync() as Float32Array);
    });
    if (next === end) break;
    ids.push(next);
  }
  return model.tokenizer.decode(ids.slice(1)).trim();
}

describeEachEngine('captionImages', () => {
  for (const method of ['routed', 'grouped', 'union'] as const) {
    it(`says with its cache what the full pass says without one, all images at once or one by one, ${method}`, async () => {
      const model = tinyJointModel(temporaryFolder(), { method });
      stirFusion(model, 3);
      const states = tf.tidy(() => imageStates(model, noisePixels(IMAGES)));
      const together = await captionImages(model, states, { maxTokens: MAX_TOKENS, bridge: true });
      // Images that all read alike would prove nothing.
      expect(new Set(together).size).toBeGreaterThan(IMAGES / 2);
      for (const [i, state] of (tf.split(states, IMAGES) as tf.Tensor4D[]).entries()) {
        const options = { maxTokens: MAX_TOKENS, bridge: true };
        expect(await captionImages(model, state, options)).toEqual([together[i]]);
        expect(captionWithoutCache(model, state)).toBe(together[i]);
        state.dispose();
      }
      states.dispose();
      model.dispose();
    });
  }

  it('says without an image what the language model says by itself', async () => {
    const folder = temporaryFolder();
    const model = tinyJointModel(folder);
    stirFusion(model, 3);
    const language = loadLanguageModel(join(folder, 'language'));
    const alone = await generateText(language, '', { maxNewTokens: MAX_TOKENS, seed: 0 });
    const blind = await captionImages(model, undefined, { maxTokens: MAX_TOKENS, bridge: true });
    expect(blind).toEqual([alone.trim()]);
    language.dispose();
    model.dispose();
  });

  it('leaves no tensor behind', async () => {
    const model = tinyJointModel(temporaryFolder());
    stirFusion(model, 3);
    const states = tf.tidy(() => imageStates(model, noisePixels(2)));
    const { numTensors } = tf.memory();
    await captionImages(model, states, { maxTokens: 4, bridge: true });
    expect(tf.memory().numTensors).toBe(numTensors);
    states.dispose();
    model.dispose();
  });
});
