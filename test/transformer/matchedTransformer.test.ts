import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createLanguageParameters } from '#language';
import type { StackConfig } from '#src/stacks';
import { TokenFormerConfig } from '#src/tokenformer';
import { matchedByWidth, matchedTransformer, mlpHidden } from '#src/transformer';
import { userErrorLine } from '../support/thrown.js';

const tokenFormer = (heads: number, tokens: number, given: object = {}): TokenFormerConfig =>
  TokenFormerConfig.parse({
    ...{ dModel: 16 * heads, numLayers: 3, numHeads: heads, rotaryShare: 0.25, gelu: 'tanh' },
    ...{ qkvParamTokens: tokens, outputParamTokens: tokens, ffnParamTokens: 4 * tokens },
    ...given,
  });

/** All parameters of a language model with such a stack; τ is a constant. */
function countOf(stack: StackConfig, vocabSize: number): number {
  const shapes = createLanguageParameters({ vocabSize, seqLen: 8, stack }, 1);
  let count = 0;
  for (const [name, { shape }] of shapes) if (!name.endsWith('/tau')) count += shape.reduce((p, n) => p * n, 1);
  return count;
}

it('a matched Transformer has exactly as many parameters', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 80 }), (heads, extra) => {
      const config = tokenFormer(heads, 4 * heads + extra);
      const matched = matchedTransformer(config);
      expect(matched).toMatchObject({ dModel: config.dModel, numLayers: 3, numHeads: heads, gelu: 'tanh' });
      expect(countOf(matched, 50)).toBe(countOf(config, 50));
    }),
    { numRuns: 50 },
  );
});

it('the sizes of the paper match the usual MLP: n = 0.75 d, 3 d and 4 d hidden units', () => {
  const config = tokenFormer(4, 48);
  expect(mlpHidden(matchedTransformer(config))).toBe(4 * config.dModel);
  expect(matchedByWidth(config, 52)).toMatchObject({ dModel: config.dModel, numHeads: 4 });
});

it('groups that were appended count, and a TokenFormer that is too small is refused', () => {
  const grown = tokenFormer(4, 48, { appendedGroups: [{ name: 'more', ffn: 10 }] });
  expect(mlpHidden(matchedTransformer(grown))).toBe(4 * 64 + 10);
  expect(userErrorLine(() => matchedTransformer(tokenFormer(4, 16)))).toContain(
    'expected more than 128 parameter tokens in a block, got 128',
  );
});

it('a match by width is the nearest that whole heads allow', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 4, max: 400 }), (heads, tokens) => {
      const config = tokenFormer(heads, tokens);
      const vocabSize = 100;
      const wanted = countOf(config, vocabSize);
      const best = matchedByWidth(config, vocabSize + 2);
      const apart = (numHeads: number): number =>
        Math.abs(countOf({ ...best, numHeads, dModel: 16 * numHeads }, vocabSize) - wanted);
      expect(best.dModel).toBe(16 * best.numHeads);
      for (const other of [best.numHeads - 1, best.numHeads + 1]) {
        if (other > 0) expect(apart(best.numHeads)).toBeLessThanOrEqual(apart(other));
      }
    }),
    { numRuns: 50 },
  );
});
