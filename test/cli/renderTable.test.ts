import fc from 'fast-check';
import { expect, it } from 'vitest';
import { renderTable } from '#src/cli';

it('renderTable aligns text left and numbers right', () => {
  const rows = [
    ['a', '1.5', '12 %'],
    ['long', '-10', '3 %'],
  ];
  expect(renderTable(['name', 'value', 'share'], rows)).toBe(
    ['name  value  share', '────  ─────  ─────', 'a       1.5   12 %', 'long    -10    3 %'].join('\n'),
  );
});

it('renderTable shortens the widest column and marks it', () => {
  const lines = renderTable(['a', 'b'], [['x', 'y'.repeat(100)]], { maxWidth: 20 }).split('\n');
  expect(lines[2]).toBe(`x  ${'y'.repeat(16)}…`);
});

it('renderTable takes missing cells as empty, and no rows at all', () => {
  expect(renderTable(['a', 'b'], [['x']]).split('\n')[2]).toBe('x');
  expect(renderTable(['a', 'b'], [])).toBe('a  b\n─  ─');
});

it('renderTable stays within its width when the columns can be cut to eight', () => {
  const cell = fc.string({ maxLength: 60 }).map((text) => text.replace(/\s/g, '.'));
  fc.assert(
    fc.property(fc.array(fc.tuple(cell, cell, cell), { maxLength: 5 }), (rows) => {
      for (const line of renderTable(['one', 'two', 'three'], rows, { maxWidth: 40 }).split('\n')) {
        expect(line.length).toBeLessThanOrEqual(40);
      }
    }),
  );
});
