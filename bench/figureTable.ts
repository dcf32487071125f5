import { type Figure, isMet, type Row, type Verdict } from './results.js';
import type { SideName } from './side.js';

/** What a side is called in tables, in the order of their columns. */
export const SIDE_TITLES: Readonly<Record<SideName, string>> = {
  native: 'ours',
  pytorch: 'PyTorch (Debian)',
  'new-pytorch': 'PyTorch',
  'compiled-pytorch': 'PyTorch compiled',
  jax: 'JAX',
  onednn: 'oneDNN (Debian)',
  'new-onednn': 'oneDNN',
  wasm: 'our wasm',
};

const COLUMNS = Object.keys(SIDE_TITLES) as SideName[];

/** A figure as cells: the case, each side's median, ours by that of the best peer, the share of the peak where there is one. */
export function figureTable({ rows }: Figure): { headers: string[]; cells: string[][] } {
  const sides = COLUMNS.filter((side) => rows.some(({ values }) => values[side] !== undefined));
  const withRatio = rows.some(({ ratio }) => ratio !== undefined);
  const withPeak = rows.some(({ peakShare }) => peakShare !== undefined);
  const headers = ['case', ...sides.map((side) => SIDE_TITLES[side])];
  if (withRatio) headers.push('ours / best peer');
  if (withPeak) headers.push('of peak');
  const cellsOf = ({ name, values, ratio, peakShare }: Row): string[] => [
    name,
    ...sides.map((side) => showNumber(values[side]?.median)),
    ...(withRatio ? [showNumber(ratio)] : []),
    ...(withPeak ? [peakShare === undefined ? '–' : `${(100 * peakShare).toFixed(0)} %`] : []),
  ];
  return { headers, cells: rows.map(cellsOf) };
}

/** `✓ label: 1.23 (at least 0.85)` */
export function verdictLine(verdict: Verdict): string {
  const { label, value, target } = verdict;
  return `${isMet(verdict) ? '✓' : '✗'} ${label}: ${showNumber(value)} (${target.at === 'least' ? '≥' : '≤'} ${target.bound})`;
}

/** Three digits that count, thousands in full; very small numbers as 1.2e-6. */
export function showNumber(value: number | undefined): string {
  if (value === undefined) return '–';
  if (value !== 0 && Math.abs(value) < 1e-3) return value.toExponential(1);
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
