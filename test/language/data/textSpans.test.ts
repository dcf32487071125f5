import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { orderedWindowSpans, type Span, windowSpans } from '../../../language/data/index.js';

const epochOf = (spans: { size: number; at(epoch: number, index: number): Span }, epoch: number): Span[] =>
  Array.from({ length: spans.size }, (_, index) => spans.at(epoch, index));
const shape = { start: fc.nat(50), length: fc.integer({ min: 2, max: 400 }), seqLen: fc.integer({ min: 1, max: 40 }) };

describe('windowSpans', () => {
  it('predicts every token of the stream once per epoch, but for fewer than 2 seqLen at its ends', () => {
    fc.assert(
      fc.property(
        fc.record({ ...shape, seed: fc.nat(), epoch: fc.nat(5) }),
        ({ start, length, seqLen, seed, epoch }) => {
          const part = { start, end: start + length };
          const spans = windowSpans(part, seqLen, seed);
          if (length < seqLen + 1) {
            expect(spans.size).toBe(0);
            return;
          }
          const windows = epochOf(spans, epoch).sort((a, b) => a.start - b.start);
          expect(spans.size).toBeGreaterThan(0);
          for (const [i, window] of windows.entries()) {
            expect(window.end - window.start).toBe(seqLen + 1);
            // A window's first token is only an input: it was the last label of the window before.
            if (i > 0) expect(window.start).toBe(windows[i - 1].end - 1);
          }
          expect(windows[0].start).toBeGreaterThanOrEqual(part.start);
          expect(windows[windows.length - 1].end).toBeLessThanOrEqual(part.end);
          expect(length - 1 - spans.size * seqLen).toBeLessThan(2 * seqLen);
        },
      ),
    );
  });

  it('draws order and offset anew each epoch, the same for the same seed', () => {
    const part = { start: 0, end: 1000 };
    const spans = windowSpans(part, 16, 5);
    expect(epochOf(spans, 0)).toEqual(epochOf(windowSpans(part, 16, 5), 0));
    expect(epochOf(spans, 1)).not.toEqual(epochOf(spans, 0));
    const offsets = Array.from({ length: 40 }, (_, epoch) =>
      Math.min(...epochOf(spans, epoch).map(({ start }) => start)),
    );
    expect(new Set(offsets).size).toBeGreaterThan(8);
    expect(epochOf(windowSpans(part, 16, 6), 0)).not.toEqual(epochOf(spans, 0));
  });
});

describe('orderedWindowSpans', () => {
  it('predicts every token of the part exactly once, in order', () => {
    fc.assert(
      fc.property(fc.record(shape), ({ start, length, seqLen }) => {
        const windows = epochOf(orderedWindowSpans({ start, end: start + length }, seqLen), 0);
        const labels = windows.flatMap((span) =>
          Array.from({ length: span.end - span.start - 1 }, (_, i) => span.start + 1 + i),
        );
        expect(labels).toEqual(Array.from({ length: length - 1 }, (_, i) => start + 1 + i));
      }),
    );
  });
});
