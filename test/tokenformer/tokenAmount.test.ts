import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTokenAmount, tokensIn } from '#src/tokenformer';

describe('parseTokenAmount', () => {
  it('reads numbers and shares, and nothing else', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 999_999_999 }), (count) => {
        expect(parseTokenAmount(String(count))).toEqual({ count });
      }),
    );
    expect(parseTokenAmount('12.5%')).toEqual({ share: 0.125 });
    for (const text of ['', '0', '0%', '1.5', '101%', '50 %', 'clusters:1/2', 'vision=5'])
      expect(parseTokenAmount(text), text).toBeUndefined();
  });

  it('takes any text without an error, and gives at least one token and at most all', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.integer({ min: 1, max: 5000 }), (text, n) => {
        const amount = parseTokenAmount(text);
        if (amount === undefined) return;
        expect(tokensIn(amount, n)).toBeGreaterThan(0);
        expect(tokensIn(amount, n)).toBeLessThanOrEqual(n);
      }),
    );
  });
});
