import { describe, expect, it } from 'vitest';
import { formatCount, formatDuration, formatMetric, formatPerplexity, formatShare } from '#src/tracking';

describe('numbers in a report', () => {
  it('give scores three decimals and absent ones a dash', () => {
    expect([0.8614, 0, null, undefined, Number.NaN, -0.0001].map(formatMetric)).toEqual([
      '0.861',
      '0.000',
      '–',
      '–',
      'NaN',
      '0.000',
    ]);
  });

  it('give the perplexity of an NLL', () => {
    expect([Math.log(8.7421), Math.log(999.96), Math.log(27_010.4), 1000, 0, null].map(formatPerplexity)).toEqual([
      '8.742',
      '1000',
      '27,010',
      '∞',
      '1.000',
      '–',
    ]);
  });

  it('separate thousands', () => {
    expect(formatCount(1_234_567)).toBe('1,234,567');
  });

  it('tell shares and durations', () => {
    expect([0.10853, 1, 0].map(formatShare)).toEqual(['10.9 %', '100 %', '0 %']);
    expect([1.25, 42.4, 582.4, 7390].map(formatDuration)).toEqual(['1.3 s', '42 s', '9 min 42 s', '2 h 03 min']);
  });
});
