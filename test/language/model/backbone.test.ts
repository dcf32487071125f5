import { describe, expect, it } from 'vitest';
import { createLanguageParameters, languageHidden, languageLogits } from '#language';
import { tf } from '#src/engine';
import { describeEachEngine } from '../../engine/eachEngine.js';
import { relativeError } from '../../support/closeness.js';
import { tinyLanguageConfig, tinyLanguageTree, tinyLogits } from '../../support/tinyLanguageModel.js';

describeEachEngine('the language backbone', () => {
  it('gives hidden states and logits for every token, and a cache for every block', () => {
    const tree = tinyLanguageTree();
    const ids = tf.tensor2d(
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      undefined,
      'int32',
    );
    const { hidden, caches } = languageHidden(tree, tinyLanguageConfig, ids, { keepCaches: true });
    expect(hidden.shape).toEqual([6, 8]);
    expect(languageLogits(tree, hidden).shape).toEqual([6, 11]);
    expect(caches.map(({ keys }) => keys.shape)).toEqual([
      [2, 3, 8],
      [2, 3, 8],
    ]);
  });

  it('predicts from what came before, never from what comes after', () => {
    const tree = tinyLanguageTree();
    const [a, b] = [tinyLogits(tree, [[1, 2, 3, 4]]), tinyLogits(tree, [[1, 2, 3, 9]])];
    expect([...a.slice(0, 33)]).toEqual([...b.slice(0, 33)]);
    expect([...a.slice(33)]).not.toEqual([...b.slice(33)]);
  });

  it('tells apart the order of the tokens before', () => {
    const tree = tinyLanguageTree();
    const [a, b] = [tinyLogits(tree, [[1, 2, 3]]), tinyLogits(tree, [[2, 1, 3]])];
    expect(relativeError(a.slice(22), b.slice(22))).toBeGreaterThan(1e-3);
  });

  it('uses one embedding to read and to predict', () => {
    const tree = tinyLanguageTree();
    const hidden = tf.tensor2d([[1, 0, 0, 0, 0, 0, 0, 0]]);
    const column = tree.variable('language/tokenEmbedding').slice([0, 0], [11, 1]).dataSync();
    expect(relativeError(languageLogits(tree, hidden).dataSync(), column)).toBeLessThan(1e-7);
    expect(tree.names().filter((name) => /embedding|head|output$/i.test(name))).toEqual(['language/tokenEmbedding']);
  });
});

describe('createLanguageParameters', () => {
  it('is the same for the same seed and another for another', () => {
    const [a, b, c] = [1, 1, 2].map((seed) => createLanguageParameters(tinyLanguageConfig, seed));
    expect(b).toEqual(a);
    expect(c.get('language/tokenEmbedding')).not.toEqual(a.get('language/tokenEmbedding'));
  });

  it('draws the embedding N(0, 0.02²)', () => {
    const { values } = createLanguageParameters({ ...tinyLanguageConfig, vocabSize: 500 }, 1).get(
      'language/tokenEmbedding',
    )!;
    const deviation = Math.sqrt(Array.from(values).reduce((sum, value) => sum + value ** 2, 0) / values.length);
    // 4000 numbers: estimated to 1.1 %.
    expect(Math.abs(deviation / 0.02 - 1)).toBeLessThan(0.045);
  });
});
