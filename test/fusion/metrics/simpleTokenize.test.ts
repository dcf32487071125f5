import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { simpleTokenize } from '#fusion/metrics';

describe('simpleTokenize', () => {
  it.each([
    ['A red ball, on a table.', 'a red ball on a table'],
    ['  Two\tdogs\n run  ', 'two dogs run'],
    ['"Stop" -- he said; then: gone?!', 'stop he said then gone'],
    ["a man's t-shirt, size 3.5 at 5:30", "a man's t-shirt size 3.5 at 5:30"],
    ["``quoted'' 'single' “curly” ‘too’", 'quoted single curly too'],
    ['dog,cat...bird—fish - (two)', 'dog cat bird fish two'],
    ['1,000 people. 2. And 3 more', '1,000 people 2 and 3 more'],
    ['a/b & 50% $5 #1', 'a/b & 50% $5 #1'],
    ['?! ... -', ''],
  ])('%j -> %j', (caption, expected) => {
    expect(simpleTokenize(caption)).toBe(expected);
  });

  it('changes nothing the second time, and leaves single spaces between words', () => {
    const punctuated = fc.string({ unit: fc.constantFrom(...'aB1.,:;!?\'"`-–…() \n') });
    fc.assert(
      fc.property(fc.oneof(punctuated, fc.string({ unit: 'binary' })), (caption) => {
        const tokens = simpleTokenize(caption);
        expect(simpleTokenize(tokens)).toBe(tokens);
        expect(tokens).not.toMatch(/^\s|\s\s|\s$/);
      }),
      { numRuns: 500 },
    );
  });
});
