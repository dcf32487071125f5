import { COLUMNS } from './columns.js';

/**
 * A plain-text table whose lines stay within `maxWidth` columns: the widest column is shortened with '…' when needed.
 * Columns whose cells are all numbers are aligned right.
 */
export function renderTable(
  headers: readonly string[],
  rows: readonly (readonly string[])[],
  { maxWidth = COLUMNS }: { maxWidth?: number } = {},
): string {
  const widths = headers.map((header, column) =>
    Math.max(header.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const gaps = 2 * (headers.length - 1);
  let total = widths.reduce((sum, width) => sum + width, gaps);
  while (total > maxWidth) {
    const widest = widths.indexOf(Math.max(...widths));
    if (widths[widest] <= 8) break;
    widths[widest]--;
    total--;
  }
  const numeric = headers.map((_, column) =>
    rows.every((row) => /^[-+~<>≥≤±]?[\d,.]*(e[-+]?\d+)?\s?(%|[kMGT]i?B|ms|s|x)?$|^[-–—]?$/.test(row[column] ?? '')),
  );
  const renderRow = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => {
        const width = widths[column];
        const text = cell.length > width ? `${cell.slice(0, width - 1)}…` : cell;
        return numeric[column] ? text.padStart(width) : text.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  return [renderRow(headers), widths.map((width) => '─'.repeat(width)).join('  '), ...rows.map(renderRow)].join('\n');
}
