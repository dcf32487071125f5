import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createGroupTally, octaveHistogram, octavesOf, rounded } from '../../../evaluation/inspection/groupTally.js';

interface Row {
  readonly item: number;
  readonly content: number;
  readonly uses: readonly number[];
}

const NUM_TOKENS = 3;
const KEPT = 2;

// Rows of one content have one use, as texts that begin alike have: here by making the content name the uses.
const rowsOf = fc.array(fc.record({ item: fc.integer({ min: -2, max: 4 }), content: fc.integer({ min: 0, max: 9 }) }), {
  maxLength: 30,
});
const withUses = (rows: readonly Omit<Row, 'uses'>[]): Row[] =>
  rows.map((row) => ({
    ...row,
    uses: Array.from({ length: NUM_TOKENS }, (_, i) => Math.fround(((row.content * 7 + i * 5) % 11) / 3)),
  }));

function tallied(rows: readonly Row[], batchSize: number, withContents: boolean) {
  const tally = createGroupTally(NUM_TOKENS, KEPT);
  for (let first = 0; first < rows.length; first += batchSize) {
    const batch = rows.slice(first, first + batchSize);
    const counted = batch.filter(({ item }) => item >= -1);
    tally.add(
      Float32Array.from(batch.flatMap(({ uses }) => uses)),
      Array.from({ length: 3 * NUM_TOKENS }, (_, at) =>
        counted.reduce((sum, { uses }) => sum + uses[at % NUM_TOKENS], 0),
      ),
      {
        items: Int32Array.from(batch, ({ item }) => item),
        positions: Int32Array.from(batch, (_, i) => first + i),
        contents: withContents ? Int32Array.from(batch, ({ content }) => content) : undefined,
      },
    );
  }
  return tally;
}

describe('the tally of a group', () => {
  it('keeps the largest uses, one of an item, whatever the batches', () => {
    fc.assert(
      fc.property(rowsOf, fc.integer({ min: 1, max: 30 }), (given, batchSize) => {
        const rows = withUses(given).filter(({ item }) => item !== -1);
        const tally = tallied(rows, batchSize, false);
        for (let token = 0; token < NUM_TOKENS; token++) {
          const best = new Map<number, number>();
          for (const { item, uses } of rows) {
            if (item >= 0 && uses[token] > 0) best.set(item, Math.max(best.get(item) ?? 0, uses[token]));
          }
          const expected = [...best.values()].sort((a, b) => b - a).slice(0, KEPT);
          expect(tally.contextsOf(token).map(([, , use]) => use)).toEqual(expected.map(rounded));
          for (const [item, position, use] of tally.contextsOf(token)) {
            expect([rows[position].item, rounded(rows[position].uses[token])]).toEqual([item, use]);
          }
        }
      }),
    );
  });

  it('keeps one of a content', () => {
    fc.assert(
      fc.property(rowsOf, fc.integer({ min: 1, max: 30 }), (given, batchSize) => {
        const rows = withUses(given.map((row) => ({ ...row, item: Math.max(0, row.item) })));
        const tally = tallied(rows, batchSize, true);
        for (let token = 0; token < NUM_TOKENS; token++) {
          const contexts = tally.contextsOf(token);
          const contents = contexts.map(([, position]) => rows[position].content);
          expect(new Set(contents).size).toBe(contents.length);
          if (rows.length === 0) continue;
          const most = Math.max(...rows.map(({ uses }) => uses[token]));
          if (most > 0) expect(contexts[0][2]).toBe(rounded(most));
        }
      }),
    );
  });

  it('counts the rows that count, their octaves and how many tokens work at once', () => {
    const tally = createGroupTally(2, 1);
    tally.add(Float32Array.of(1, 1, 0, 0.25, 3, 3, 8, 8), [4, 4.25, 0, 0, 0, 0], {
      items: Int32Array.of(0, -1, 1, -2),
      positions: Int32Array.of(0, 1, 0, 1),
    });
    expect([tally.rows, tally.effectiveSum, ...tally.largest]).toEqual([3, 2 + 1 + 2, 3, 3]);
    expect(octavesOf(tally.octaves)).toEqual({ zeros: 1, first: -2, counts: [1, 0, 2, 2] });
    // What is read of every image has no image of its own.
    expect(tally.contextsOf(1)).toEqual([[1, 0, 3]]);
  });

  it('says which patch a row looked at', () => {
    const tally = createGroupTally(1, 2);
    const places = { items: Int32Array.of(0, 1), positions: Int32Array.of(5, 6), patches: Int32Array.of(7, 8) };
    tally.add(Float32Array.of(1, 2), [3, 0, 0], places);
    expect(tally.contextsOf(0)).toEqual([
      [1, 6, 2, 8],
      [0, 5, 1, 7],
    ]);
  });

  it('has octaves of values, zeros apart', () => {
    expect(octaveHistogram([0, 0.5, 0.99, 1, 4])).toEqual({ zeros: 1, first: -1, counts: [2, 1, 0, 1] });
    expect(octaveHistogram([0, 0])).toEqual({ zeros: 2, first: 0, counts: [] });
  });
});
