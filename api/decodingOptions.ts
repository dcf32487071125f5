/**
 * How text is decoded; a key that has no effect on the method is refused.
 *
 * - `greedy`: the most likely token each time (the default).
 * - `beam`: the `width` most likely continuations at each length, ranked by log p / tokens^α.
 * - `sample`: draws from softmax(logits / temperature), cut to `topK`, then to `topP`.
 *
 * @example
 * ```ts
 * await model.caption(['photo.jpg'], { method: 'beam', width: 3 });
 * ```
 */
export interface DecodingOptions {
  /** `greedy` unless given. */
  readonly method?: 'greedy' | 'beam' | 'sample';
  /** Longest result in tokens; 48 by default. */
  readonly maxTokens?: number;
  /** No stop token before so many other tokens; 0 by default. */
  readonly minTokens?: number;
  /** θ; above 1, tokens that the result already holds become less likely. 1 by default. */
  readonly repetitionPenalty?: number;
  /** Extra stop strings, each a single token. */
  readonly stopTokens?: readonly string[];
  /** `beam`: beams kept; 5 by default. */
  readonly width?: number;
  /** `beam`: α; 0 (the default) ranks by likelihood itself. */
  readonly lengthPenalty?: number;
  /** `beam`: results returned, best first; 1 by default. */
  readonly nBest?: number;
  /** `sample`: divides the logits; 1 by default, 0 takes the most likely token. */
  readonly temperature?: number;
  /** `sample`: keep so many of the most likely tokens. */
  readonly topK?: number;
  /** `sample`: keep the fewest most likely tokens with this mass, in (0, 1]. */
  readonly topP?: number;
  /** `sample`: results drawn; 1 by default. */
  readonly numSamples?: number;
  /** `sample`: of the draws; 0 by default. Equal seeds give equal results. */
  readonly seed?: number;
}
