import { describe, expect, it } from 'vitest';
import { createDrawTally } from '#evaluation/traces';

const RANGES = [
  { block: 0, layer: 'query', group: 'language', count: 2 },
  { block: 1, layer: 'value', group: 'vision', count: 2 },
] as const;

/** Two words said three times each, and one said once. */
function tally() {
  const made = createDrawTally();
  for (const noise of [-0.01, 0, 0.01]) {
    made.add('red', RANGES, Float32Array.of(0.3 + noise, 0.25, 0.4, 0.05 - noise));
    made.add('circle', RANGES, Float32Array.of(0.3 - noise, 0.25, 0.1, 0.35 + noise));
  }
  made.add('once', RANGES, Float32Array.of(1, 0, 0, 0));
  return made;
}

describe('createDrawTally', () => {
  it('lists the tokens that tell words apart with the words that draw more than the mean', () => {
    const vision = tally()
      .tokens(2)
      .filter(({ group }) => group === 'vision');
    // Shares are kept to four significant digits, which hides that they are float32.
    expect(vision).toEqual(
      expect.arrayContaining([
        {
          block: 1,
          layer: 'value',
          group: 'vision',
          token: 0,
          share: 0.25,
          words: [{ word: 'red', times: 3, share: 0.4 }],
        },
        {
          block: 1,
          layer: 'value',
          group: 'vision',
          token: 1,
          share: 0.2,
          words: [{ word: 'circle', times: 3, share: 0.35 }],
        },
      ]),
    );
  });

  it('keeps to as many tokens of a group as asked for', () => {
    expect(
      tally()
        .tokens(1)
        .filter(({ group }) => group === 'vision'),
    ).toHaveLength(1);
  });

  it('puts first the token whose share differs most between words, not within them', () => {
    const made = createDrawTally();
    for (const noise of [-0.2, 0, 0.2]) {
      made.add('red', RANGES, Float32Array.of(0.5 + noise, 0.1, 0, 0));
      made.add('circle', RANGES, Float32Array.of(0.5 + noise, 0.2, 0, 0));
    }
    expect(made.tokens(1).map(({ group, token }) => [group, token])).toEqual([['language', 1]]);
  });

  it('does not judge words said once', () => {
    const made = createDrawTally();
    made.add('once', RANGES, Float32Array.of(1, 0, 0, 0));
    expect(made.tokens(2)).toEqual([]);
  });
});
