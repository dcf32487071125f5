import { z } from 'zod';
import type { Tokenizer } from '#language';

/** Words whose tokens weigh more in the alignment loss, by training step. */
export const TokenWeightRule = z.strictObject({
  words: z.array(z.string().min(1)).min(1).describe('the words, whatever their case'),
  schedule: z
    .array(
      z.strictObject({
        fromStep: z.int().min(0).describe('first step with this weight'),
        weight: z.number().min(0).describe('factor of the loss on the tokens of these words'),
      }),
    )
    .min(1)
    .describe('the last entry that has begun holds; before the first, the weight is 1'),
});
export type TokenWeightRule = z.output<typeof TokenWeightRule>;

/** Tokenizes captions so that the weight of every token is known. */
export interface TokenWeights {
  /** Token ids, and for each the number of its rule, from 1; 0 for none. */
  tokenize(caption: string, tokenizer: Tokenizer): { ids: number[]; rules: number[] };
  weightAt(rule: number, step: number): number;
}

/** Weights by word, whatever its case: a token takes the rule of the word that it begins or continues. */
export function createTokenWeights(rules: readonly TokenWeightRule[]): TokenWeights {
  const ruleOf = new Map(rules.flatMap(({ words }, i) => words.map((word) => [word.toLowerCase(), i + 1] as const)));
  return {
    tokenize: (caption, tokenizer) => {
      const ids = Array.from(tokenizer.encode(caption));
      if (rules.length === 0) return { ids, rules: ids.map(() => 0) };
      const ruleAt = new Uint8Array(caption.length);
      for (const match of caption.matchAll(/[\p{L}\p{N}]+/gu)) {
        ruleAt.fill(ruleOf.get(match[0].toLowerCase()) ?? 0, match.index, match.index + match[0].length);
      }
      // The last character of a token decides its word: a leading space belongs to the next word.
      const ends = ids.map((_, t) => tokenizer.decode(ids.slice(0, t + 1)).length - 1);
      return { ids, rules: ends.map((end) => ruleAt[end] ?? 0) };
    },
    weightAt: (rule, step) => {
      if (rule === 0) return 1;
      const reached = rules[rule - 1].schedule.filter(({ fromStep }) => fromStep <= step);
      return reached.reduce((latest, entry) => (entry.fromStep >= latest.fromStep ? entry : latest), {
        fromStep: -1,
        weight: 1,
      }).weight;
    },
  };
}
