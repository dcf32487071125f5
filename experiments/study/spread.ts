import { formatMetric } from '#src/tracking';

/** The centre of values over seeds, with the lowest and the highest. */
export interface Spread {
  readonly centre: number;
  readonly low: number;
  readonly high: number;
}

/** Null where a seed has no value, or there is none at all. */
export function spreadOf(values: readonly (number | null)[], centre: 'mean' | 'median' = 'mean'): Spread | null {
  if (values.length === 0 || values.some((value) => value === null)) return null;
  const numbers = values as number[];
  const sorted = numbers.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  const median = (sorted[Math.ceil(half) - 1] + sorted[Math.floor(half)]) / 2;
  const mean = numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
  return { centre: centre === 'mean' ? mean : median, low: sorted[0], high: sorted[sorted.length - 1] };
}

/** `0.500 (0.400–0.600)`; one number where all are equal; – for none. */
export function spreadText(spread: Spread | null, format: (value: number) => string = formatMetric): string {
  if (spread === null) return '–';
  const { centre, low, high } = spread;
  return low === high ? format(centre) : `${format(centre)} (${format(low)}–${format(high)})`;
}

/** A table in Markdown; every column but the first is of numbers. */
export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = header.map((_, i) => (i === 0 ? '---' : '--:'));
  return [header, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
