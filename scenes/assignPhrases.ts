import type { ObjectPhrase } from './parseCaption.js';
import type { SceneObject } from './scene.js';

/**
 * Gives each object at most one phrase and each phrase at most one object so that the most is right: one point per
 * right attribute and one more for an object with all three. As many pairs as possible are made, wrong ones too; of
 * equally good assignments the one that gives earlier phrases to earlier objects is taken. Exact, by dynamic programming over subsets
 * of the (few) objects.
 *
 * @returns for each object the index of its phrase, or undefined
 */
export function assignPhrases(
  phrases: readonly ObjectPhrase[],
  objects: readonly SceneObject[],
): (number | undefined)[] {
  interface Assignment {
    readonly score: number;
    readonly phraseOf: readonly (number | undefined)[];
  }
  // best[set] = best assignment of the phrases so far to exactly the objects in `set`.
  let best = new Map<number, Assignment>([[0, { score: 0, phraseOf: objects.map(() => undefined) }]]);
  phrases.forEach((phrase, p) => {
    const next = new Map(best);
    for (const [set, { score, phraseOf }] of best) {
      objects.forEach((object, o) => {
        if (set & (1 << o)) return;
        // A pair is worth more than nothing even when wrong: 1/16 is below any right attribute in all objects together.
        const total = score + matchScore(phrase, object) + 1 / 16;
        const known = next.get(set | (1 << o));
        if (known !== undefined && known.score >= total) return;
        next.set(set | (1 << o), { score: total, phraseOf: phraseOf.map((before, i) => (i === o ? p : before)) });
      });
    }
    best = next;
  });
  let winner: Assignment | undefined;
  for (const candidate of best.values()) {
    if (winner === undefined || candidate.score > winner.score) winner = candidate;
  }
  return [...(winner as Assignment).phraseOf];
}

function matchScore(phrase: ObjectPhrase, object: SceneObject): number {
  const right = [phrase.colour === object.colour, phrase.shape === object.shape, phrase.size === object.size];
  const points = right.filter(Boolean).length;
  return points === 3 ? 4 : points;
}
