import { describe, expect, it } from 'vitest';
import { LANGUAGE_MODEL, SMALL_MODEL, VISION_MODEL } from '../../bench/models.js';
import { productShapes, stepFlops, stepProducts } from '../../bench/stepProducts.js';

describe('the products of a training step', () => {
  it('cost 12 · dModel a token and parameter token, and a pair of positions that see each other, and 6 · dModel a logit', () => {
    const [tokens, d, layers, vocab, seqLen, batch] = [2048, 256, 6, 8192, 256, 8];
    const pattention = 12 * tokens * d * (4 * 256 + 1024) * layers;
    const attention = 12 * batch * d * ((seqLen * (seqLen + 1)) / 2) * layers;
    const logits = 6 * tokens * d * vocab;
    expect(stepFlops(LANGUAGE_MODEL)).toBe(pattention + attention + logits);
  });

  it('see every key when attention is full', () => {
    const heads = stepProducts(VISION_MODEL).filter(({ what }) => what.startsWith('heads'));
    expect(heads.map(({ neededShare }) => neededShare)).toEqual([1, 1, 1]);
    expect(heads[0]).toMatchObject({ batch: 128, m: 64, n: 64, depth: 64, count: 12 });
  });

  it('become shapes without repetition and without the tiny ones', () => {
    const shapes = productShapes([LANGUAGE_MODEL, VISION_MODEL]);
    const keys = shapes.map(({ batch, m, n, depth, transposeA, transposeB }) =>
      [batch, m, n, depth, transposeA, transposeB].join(),
    );
    expect(new Set(keys).size).toBe(keys.length);
    expect(shapes.some(({ what }) => what.startsWith('classes'))).toBe(false);
    expect(shapes.length).toBeLessThan(stepProducts(LANGUAGE_MODEL).length + stepProducts(VISION_MODEL).length);
    expect(productShapes([SMALL_MODEL]).length).toBeGreaterThan(0);
  });
});
