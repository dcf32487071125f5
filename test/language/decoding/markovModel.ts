import type { Hypothesis, Search } from '../../../language/decoding/search.js';
import { randomValues } from '../../support/randomValues.js';

/** Logits of the next token after `tokenIds`, [vocabSize]. */
export type NextLogits = (tokenIds: readonly number[]) => Float32Array;

/** A model whose next token depends on the last two and on how many there are: enough for beams to overtake each other. */
export function markovModel(seed: number, vocabSize: number, scale = 2): NextLogits {
  return (tokenIds) =>
    randomValues(vocabSize, 'markov', seed, tokenIds.length, ...tokenIds.slice(-2)).map((x) => x * scale);
}

export function logSumExp(logits: ArrayLike<number>): number {
  return Math.log(Array.from(logits).reduce((sum, logit) => sum + Math.exp(logit), 0));
}

/** Runs a search of one input a model against the models' logits, with no engine; counts the rows of all passes. */
export function runSearch(
  search: Search,
  models: readonly NextLogits[],
): { results: Hypothesis[][]; rowsRun: number; passes: number } {
  let rows = models.map((model) => ({ model, tokenIds: [] as number[] }));
  let [rowsRun, passes] = [0, 0];
  while (rows.length > 0) {
    rowsRun += rows.length;
    passes++;
    const logits = rows.map(({ model, tokenIds }) => model(tokenIds));
    const { parents, tokenIds } = search.next({
      vocabSize: logits[0].length,
      values: Float32Array.from(logits.flatMap((row) => [...row])),
      logSumExp: logits.map(logSumExp),
    });
    rows = parents.map((parent, i) => ({
      model: rows[parent].model,
      tokenIds: [...rows[parent].tokenIds, tokenIds[i]],
    }));
  }
  return { results: search.results(), rowsRun, passes };
}
