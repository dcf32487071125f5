import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createTokenWeights, TokenWeightRule } from '#fusion';
import type { Tokenizer } from '#language';
import { bpeTokenizer } from '../language/tokenizer/bpeTokenizer.js';

const always = (weight: number) => [{ fromStep: 0, weight }];

function tokenizerOf(texts: readonly string[], vocabSize = 300): Tokenizer {
  const tokenizer = bpeTokenizer([...texts, ...texts, ...texts], vocabSize);
  onTestFinished(() => tokenizer.dispose());
  return tokenizer;
}

/** Every token's text beside its rule. */
function tokensWithRules(caption: string, words: readonly string[][], tokenizer: Tokenizer): [string, number][] {
  const weights = createTokenWeights(words.map((list) => ({ words: [...list], schedule: always(2) })));
  const { ids, rules } = weights.tokenize(caption, tokenizer);
  return ids.map((id, t) => [tokenizer.decode([id]), rules[t]]);
}

describe('createTokenWeights', () => {
  it('weighs the token of a word, with the space before it', () => {
    const tokenizer = tokenizerOf(['a square left of a circle'], 300);
    expect(tokensWithRules('a square left of a circle', [['left', 'circle']], tokenizer)).toEqual([
      ['a', 0],
      [' square', 0],
      [' left', 1],
      [' of', 0],
      [' a', 0],
      [' circle', 1],
    ]);
  });

  it('weighs every token of a word that has several', () => {
    const tokenizer = tokenizerOf(['zz'], 257);
    const tokens = tokensWithRules('go left!', [['left']], tokenizer);
    expect(tokens.map(([text]) => text).join('')).toBe('go left!');
    expect(
      tokens
        .filter(([, rule]) => rule === 1)
        .map(([text]) => text)
        .join(''),
    ).toBe('left');
    expect(tokens.length).toBe(8);
  });

  it('takes whole words only', () => {
    const tokenizer = tokenizerOf(['leftover right-left'], 257);
    const weighed = tokensWithRules('leftover right-left', [['left']], tokenizer).map(([text, rule]) =>
      rule ? text : '.',
    );
    expect(weighed.join('')).toBe('...............left');
  });

  it('gives each rule its own words', () => {
    const tokenizer = tokenizerOf(['red left blue'], 300);
    const tokens = tokensWithRules('red left blue', [['left'], ['red', 'blue']], tokenizer);
    expect(tokens.map(([, rule]) => rule)).toEqual([2, 1, 2]);
  });

  it('knows words beyond ASCII, also where a character takes several tokens', () => {
    const tokenizer = tokenizerOf(['zz'], 257);
    const weights = createTokenWeights([{ words: ['größe'], schedule: always(2) }]);
    const { ids, rules } = weights.tokenize('die größe 🟥', tokenizer);
    expect(ids).toHaveLength(Buffer.from('die größe 🟥').length);
    const weighed = ids.filter((_, t) => rules[t] === 1);
    expect(tokenizer.decode(weighed)).toBe('größe');
  });

  it('tokenizes as the tokenizer does, whatever the rules', () => {
    const tokenizer = tokenizerOf(['the red square is left of the blue circle'], 290);
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (caption) => {
        const { ids, rules } = createTokenWeights([{ words: ['red'], schedule: always(3) }]).tokenize(
          caption,
          tokenizer,
        );
        expect(ids).toEqual([...tokenizer.encode(caption)]);
        expect(rules).toHaveLength(ids.length);
      }),
    );
  });

  it('follows the schedule by step, in whatever order it is written', () => {
    const schedule = [
      { fromStep: 800, weight: 10 },
      { fromStep: 100, weight: 20 },
    ];
    const weights = createTokenWeights([{ words: ['left'], schedule }]);
    expect([0, 99, 100, 799, 800, 10_000].map((step) => weights.weightAt(1, step))).toEqual([1, 1, 20, 20, 10, 10]);
    expect(weights.weightAt(0, 500)).toBe(1);
  });

  it('weighs everything 1 without rules', () => {
    const tokenizer = tokenizerOf(['a square'], 270);
    const weights = createTokenWeights([]);
    const { ids, rules } = weights.tokenize('a square', tokenizer);
    expect(rules).toEqual(ids.map(() => 0));
  });

  it('refuses a rule without words or without a schedule', () => {
    expect(TokenWeightRule.safeParse({ words: [], schedule: always(1) }).success).toBe(false);
    expect(TokenWeightRule.safeParse({ words: ['a'], schedule: [] }).success).toBe(false);
    expect(TokenWeightRule.safeParse({ words: ['a'], schedule: always(-1) }).success).toBe(false);
  });
});
