import { describe, expect, it } from 'vitest';
import {
  type DecodeForward,
  decode,
  generateText,
  greedyToken,
  type LanguageModel,
  languageHidden,
  languageLogits,
} from '#language';
import { tf } from '#src/engine';
import type { ParameterTree } from '#src/tokenformer';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { tinyLanguageConfig, tinyLanguageTree, tinyLogits } from '../support/tinyLanguageModel.js';
import { byteTokenizer } from './data/textFixture.js';

const forwardOf =
  (tree: ParameterTree): DecodeForward =>
  (tokenIds, caches) => {
    const result = languageHidden(tree, tinyLanguageConfig, tokenIds, caches ? { caches } : {});
    return { logits: languageLogits(tree, result.hidden), caches: result.caches };
  };

const options = { batch: 1, prompt: [3, 1, 4], maxNewTokens: 12, stopId: -1, choose: greedyToken };

describeEachEngine('decoding with a cache', () => {
  it('predicts at every step what the full pass over all tokens predicts', async () => {
    const tree = tinyLanguageTree();
    const seen: Float32Array[] = [];
    const [ids] = await decode(forwardOf(tree), {
      ...options,
      choose: (logits) => {
        seen.push(logits.slice());
        return greedyToken(logits);
      },
    });
    const whole = [...options.prompt, ...ids];
    const { vocabSize } = tinyLanguageConfig;
    const full = tinyLogits(tree, [whole]);
    for (const [i, logits] of seen.entries()) {
      const row = options.prompt.length - 1 + i;
      // Measured 0 on cpu, 5e-7 on wasm.
      expect(relativeError(logits, full.slice(row * vocabSize, (row + 1) * vocabSize))).toBeLessThan(5e-6);
    }
    expect(new Set(ids).size).toBeGreaterThan(2);
    tree.dispose();
  });

  it('chooses the tokens that running everything again each time would choose', async () => {
    const tree = tinyLanguageTree();
    const [ids] = await decode(forwardOf(tree), options);
    const again = [...options.prompt];
    for (let i = 0; i < options.maxNewTokens; i++) again.push(greedyToken(tinyLogits(tree, [again]).slice(-11)));
    expect(ids).toEqual(again.slice(options.prompt.length));
    tree.dispose();
  });

  it('holds no tensor when it is done', async () => {
    const tree = tinyLanguageTree();
    const before = tf.memory().numTensors;
    await decode(forwardOf(tree), options);
    expect(tf.memory().numTensors).toBe(before);
    tree.dispose();
  });

  it('decodes rows of a batch as each alone', async () => {
    const tree = tinyLanguageTree();
    const [alone] = await decode(forwardOf(tree), options);
    expect(await decode(forwardOf(tree), { ...options, batch: 3 })).toEqual([alone, alone, alone]);
    tree.dispose();
  });
});

describe('the end of a row', () => {
  /** A model whose logits do not matter: `choose` decides. */
  const idle: DecodeForward = (tokenIds) => ({ logits: tf.zeros([tokenIds.size, 5]), caches: [] });

  it('is the stop id, which is not returned', async () => {
    const script = [1, 2, 4, 3];
    const choose = () => script.shift()!;
    expect(await decode(idle, { ...options, stopId: 4, choose })).toEqual([[1, 2]]);
    expect(script).toEqual([3]);
  });

  it('comes to each row of a batch by itself', async () => {
    const scripts = [[1, 4], [2, 2, 2, 4], [4]];
    const choose = (_: Float32Array, row: number) => scripts[row].shift()!;
    expect(await decode(idle, { ...options, batch: 3, stopId: 4, choose })).toEqual([[1], [2, 2, 2], []]);
  });

  it('is after maxNewTokens at the latest', async () => {
    expect(await decode(idle, { ...options, maxNewTokens: 4, choose: () => 1 })).toEqual([[1, 1, 1, 1]]);
    expect(await decode(idle, { ...options, maxNewTokens: 0, choose: () => 1 })).toEqual([[]]);
  });
});

describeEachEngine('generateText', () => {
  const model = (): LanguageModel => {
    const config = { ...tinyLanguageConfig, vocabSize: 257 };
    const tree = tinyLanguageTree(config);
    return { tree, config, tokenizer: byteTokenizer, dispose: () => tree.dispose() };
  };

  it('is the same for the same prompt and seed', async () => {
    const given = { maxNewTokens: 12, sampling: { temperature: 1.5, topK: 40 }, seed: 5 };
    const texts = [await generateText(model(), 'ab', given), await generateText(model(), 'ab', given)];
    expect(texts[1]).toBe(texts[0]);
  });

  it('is another for another seed when it samples, and the same when it does not', async () => {
    const sampled = { maxNewTokens: 12, sampling: { temperature: 3 } };
    expect(await generateText(model(), 'ab', { ...sampled, seed: 1 })).not.toBe(
      await generateText(model(), 'ab', { ...sampled, seed: 2 }),
    );
    const greedy = await generateText(model(), 'ab', { maxNewTokens: 12, seed: 1 });
    expect(await generateText(model(), 'ab', { maxNewTokens: 12, seed: 2 })).toBe(greedy);
  });

  it('depends on the prompt, and takes an empty one', async () => {
    const [a, b] = [
      await generateText(model(), 'ab', { maxNewTokens: 12, seed: 1 }),
      await generateText(model(), '', { maxNewTokens: 12, seed: 1 }),
    ];
    expect(a).not.toBe(b);
  });
});
