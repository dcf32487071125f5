import type { TokenizeOptions } from '#captions/tokenization';
import { UserError } from '#src/errors';
import { createRandom } from '#src/random';
import { constantBleu4, constantCiderD } from './constantScores.js';
import { type CaptionSet, type CountedCaption, countReferences } from './pairedCaptions.js';

/** What a constant caption is chosen by. */
export type ConstantMetric = 'ciderD' | 'bleu4';

export interface ConstantCaptionOptions extends TokenizeOptions {
  /** How many different training captions are tried at most; 1000 when not given. */
  readonly candidates?: number;
  /** Draws the captions that are tried where there are more; 0 when not given. */
  readonly seed?: number;
}

/** A baseline that never looks at an image. */
export interface ConstantCaption {
  /** Tokenized, the same for every image. */
  readonly caption: string;
  /** The metric on the training references, its idf from them. */
  readonly trainScore: number;
  readonly numTried: number;
  /** Different captions in the training references. */
  readonly numDistinct: number;
}

/**
 * For each metric the training caption that scores best as the prediction for every training image: a model below it has not
 * shown that it uses its image. The most frequent captions are tried first, equally frequent ones in seeded order. Time grows
 * with the references, hardly with the candidates.
 *
 * @throws UserError when the set is empty, an image has no reference, or `candidates` is not a positive integer
 */
export function bestConstantCaptions(
  trainReferences: CaptionSet,
  metrics: readonly ConstantMetric[],
  options: ConstantCaptionOptions = {},
): ConstantCaption[] {
  const { candidates: limit = 1000, seed = 0 } = options;
  if (!Number.isInteger(limit) || limit < 1) {
    throw new UserError(`bestConstantCaptions: expected candidates to be a positive integer, got ${limit}`);
  }
  const images = countReferences(trainReferences, options);
  const distinct = byFrequency(
    images.flatMap(({ references }) => references),
    seed,
  );
  const tried = distinct.slice(0, limit);
  return metrics.map((metric) => {
    const scores = metric === 'ciderD' ? constantCiderD(tried, images) : constantBleu4(tried, images);
    let best = 0;
    for (let index = 1; index < tried.length; index++) if (scores[index] > scores[best]) best = index;
    const caption = tried[best].text;
    return { caption, trainScore: scores[best], numTried: tried.length, numDistinct: distinct.length };
  });
}

/** Each caption once, the most frequent first; the order among equals depends on the seed alone. */
function byFrequency(captions: readonly CountedCaption[], seed: number): CountedCaption[] {
  const found = new Map<string, { caption: CountedCaption; count: number }>();
  for (const caption of captions) {
    const entry = found.get(caption.text);
    if (entry === undefined) found.set(caption.text, { caption, count: 1 });
    else entry.count++;
  }
  const sorted = [...found.values()].sort((a, b) => (a.caption.text < b.caption.text ? -1 : 1));
  return createRandom(seed, 'constantCaption')
    .shuffled(sorted)
    .sort((a, b) => b.count - a.count)
    .map(({ caption }) => caption);
}
