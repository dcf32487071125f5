import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { linearTicks, logTicks } from '../../../src/tracking/report/axisTicks.js';

describe('linearTicks', () => {
  it('are round and labelled alike', () => {
    expect(linearTicks(0, 1, 6).labels).toEqual(['0.0', '0.2', '0.4', '0.6', '0.8', '1.0']);
    expect(linearTicks(0, 12_000, 6).labels).toEqual(['0', '5k', '10k']);
    expect(linearTicks(0, 2800, 6).labels).toEqual(['0', '1,000', '2,000']);
  });

  it('reach around the values when asked to', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -1e9, max: 1e9, noNaN: true }),
        fc.double({ min: 1e-3, max: 1e9, noNaN: true }),
        (low, extent) => {
          const { values } = linearTicks(low, low + extent, 6, { cover: true });
          const slack = 1e-6 * (Math.abs(low) + extent);
          expect(values[0]).toBeLessThanOrEqual(low + slack);
          expect(values[values.length - 1]).toBeGreaterThanOrEqual(low + extent - slack);
          expect(values.length).toBeGreaterThanOrEqual(2);
          expect(values.length).toBeLessThanOrEqual(8);
        },
      ),
    );
  });
});

describe('logTicks', () => {
  it('take the finest round ladder that fits', () => {
    expect(logTicks(1.02, 6.2, 7).labels).toEqual(['1', '1.5', '2', '3', '5', '7']);
    expect(logTicks(0.01, 900, 7).labels).toEqual(['0.01', '0.1', '1', '10', '100', '1,000']);
  });

  it('reach around the values with few ticks', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1e-12, max: 1e12, noNaN: true }),
        fc.double({ min: 1, max: 1e12, noNaN: true }),
        (low, ratio) => {
          const { values, labels } = logTicks(low, low * ratio, 7);
          expect(values[0]).toBeLessThanOrEqual(low * (1 + 1e-6));
          expect(values[values.length - 1]).toBeGreaterThanOrEqual(low * ratio * (1 - 1e-6));
          expect(values.length).toBeGreaterThanOrEqual(2);
          expect(values.length).toBeLessThanOrEqual(9);
          expect(new Set(labels).size).toBe(labels.length);
        },
      ),
    );
  });
});
