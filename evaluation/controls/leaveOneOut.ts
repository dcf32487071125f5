/** One reference of every image as its caption, and the others to score it by. */
export interface LeftOut {
  readonly predictions: readonly string[];
  readonly references: readonly (readonly string[])[];
}

/**
 * Every reference in turn against the others of its image: what people reach under the scores, with one reference fewer.
 * As many rounds as the image with the fewest references has.
 *
 * @returns none when some image has a single reference
 */
export function leaveOneOut(references: readonly (readonly string[])[]): LeftOut[] {
  const rounds = Math.min(...references.map(({ length }) => length));
  if (rounds < 2) return [];
  return Array.from({ length: rounds }, (_, round) => ({
    predictions: references.map((captions) => captions[round]),
    references: references.map((captions) => captions.filter((_, c) => c !== round)),
  }));
}
