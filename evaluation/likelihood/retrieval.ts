import { type BootstrapInterval, bootstrapInterval } from '#captions/metrics';
import type { ImageNlls } from './captionNlls.js';
import type { NllMatrix } from './nllMatrix.js';

/** Ranks at which recall is counted. */
export const RECALL_RANKS = [1, 5, 10] as const;

/** Share of queries whose own partner is among the first k, with its 95 % interval over queries; in order of `RECALL_RANKS`. */
export type Recall = readonly BootstrapInterval[];

/** How well likelihood alone finds the image of a caption and the caption of an image; chance is k / poolSize. */
export interface Retrieval {
  readonly poolSize: number;
  /** Images ranked by −log p(caption | image). Subtracting the blind NLL, a constant of the caption, changes nothing. */
  readonly textToImage: Recall;
  /** Captions ranked by −log p(caption | image), raw: frequent and short captions come first whatever the image. */
  readonly imageToText: Recall;
  /** Captions ranked by −log p(caption | image) + log p(caption | no image): pointwise mutual information, negated. */
  readonly imageToTextPmi: Recall;
}

/**
 * Recall at 1, 5 and 10 in both directions, caption i belonging to image i. Among equal costs every order is as good, and
 * a query counts with the share of orders that find its partner: a model that says one thing always is at chance.
 */
export function retrieval({ given, blind }: NllMatrix, seed: number): Retrieval {
  const poolSize = given.length;
  const images = Array.from({ length: poolSize }, (_, i) => i);
  const recall = (cost: (query: number, candidate: number) => number): Recall => {
    const ranks = images.map((query) =>
      rankOfOwn(
        images.map((candidate) => cost(query, candidate)),
        query,
      ),
    );
    return RECALL_RANKS.map((k) =>
      bootstrapInterval(
        ranks.map(({ better, equal }) => Math.min(1, Math.max(0, (k - better) / equal))),
        seed,
      ),
    );
  };
  return {
    poolSize,
    textToImage: recall((caption, image) => given[image][caption]),
    imageToText: recall((image, caption) => given[image][caption]),
    imageToTextPmi: recall((image, caption) => given[image][caption] - blind[caption]),
  };
}

/** How many candidates cost less than the query's own, and how many as much, itself among them. */
function rankOfOwn(costs: readonly number[], own: number): { better: number; equal: number } {
  return {
    better: costs.filter((cost) => cost < costs[own]).length,
    equal: costs.filter((cost) => cost === costs[own]).length,
  };
}

/** One caption under two images. */
export interface ForcedChoice {
  /** Share of captions that are likelier with their own image than with another one (a tie counts half); chance is 0.5. */
  readonly accuracy: BootstrapInterval;
  /** NLL without an image less NLL with it, nats per token: what a caption and its image have in common. */
  readonly imageGain: BootstrapInterval;
}

/**
 * Two-alternative forced choice over the captions of every image, one other image each, with intervals over images.
 *
 * @param other the same captions with another image each
 */
export function forcedChoice(
  own: readonly ImageNlls[],
  other: readonly ImageNlls[],
  blind: readonly ImageNlls[],
  seed: number,
): ForcedChoice {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const total = ({ nats }: ImageNlls): number => nats.reduce((sum, value) => sum + value, 0);
  return {
    accuracy: bootstrapInterval(
      own.map(({ nats }, i) => mean(nats.map((value, c) => Math.sign(other[i].nats[c] - value) / 2 + 0.5))),
      seed,
    ),
    imageGain: bootstrapInterval(
      own.map((image, i) => (total(blind[i]) - total(image)) / image.tokens.reduce((sum, count) => sum + count, 0)),
      seed,
    ),
  };
}
