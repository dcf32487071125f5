import type { CaptionComparison, CaptionMetrics } from '#captions/metrics';
import { renderTable, wrapText } from '#src/cli';
import { METRIC_LABELS } from './scoreTable.js';

/** Two sets of captions side by side, at most 80 columns. */
export function comparisonTable({ numImages, scores }: CaptionComparison): string {
  const rows = (Object.keys(scores) as (keyof CaptionMetrics)[]).map((name) => {
    const { a, b, difference, low, high, p, wins, ties, losses } = scores[name];
    return [
      METRIC_LABELS[name],
      a.toFixed(3),
      b.toFixed(3),
      signed(difference),
      `${signed(low)} to ${signed(high)}`,
      p.toFixed(3),
      `${wins}/${ties}/${losses}`,
    ];
  });
  return [
    renderTable(['metric', 'a', 'b', 'a − b', '95 % of a − b', 'p', 'a > = < b'], rows),
    ...wrapText(
      `${numImages.toLocaleString('en-US')} images. p: two-sided, paired bootstrap. Last column: number of images where a scores higher / equal / lower.`,
      80,
    ),
  ].join('\n');
}

function signed(value: number): string {
  const text = value.toFixed(3);
  return value > 0 && Number(text) !== 0 ? `+${text}` : text;
}
