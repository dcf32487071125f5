import { formatCount, html, type SafeHtml } from '#src/tracking';
import { figure } from './figure.js';

/** Numbers on a page in all arrays, and in a single one. */
const MOST_NUMBERS = 100_000;
const LONGEST = 512;
const PER_LINE = 16;

/** How many numbers of each of so many arrays a page shows. */
export function arrayLength(numArrays: number): number {
  return Math.min(LONGEST, Math.max(PER_LINE, Math.floor(MOST_NUMBERS / Math.max(1, numArrays))));
}

/** Arrays over parameter tokens, folded; of long ones the first numbers. */
export function numberArrays(
  arrays: readonly { readonly label: string; readonly values: readonly number[] }[],
  most: number,
): SafeHtml {
  return html`<details class="arrays"><summary>numbers</summary>${arrays.map(({ label, values }) => {
    const left = values.length - most;
    const note = left > 0 && html` <small>the first ${formatCount(most)}; all in inspection.json</small>`;
    return html`<h5>${label}${note}</h5><pre tabindex="0">${lines(values.slice(0, most))}</pre>`;
  })}</details>`;
}

/** Sixteen numbers a line, the index of the first before them. */
function lines(values: readonly number[]): string {
  const starts = Array.from({ length: Math.ceil(values.length / PER_LINE) }, (_, line) => line * PER_LINE);
  return starts
    .map((start) => {
      const row = values.slice(start, start + PER_LINE).map((value) => figure(value).padStart(8));
      return `${String(start).padStart(5)}:${row.join('')}`;
    })
    .join('\n');
}

export const numberArraysStyles = html`
.arrays summary { font-size: 13px; color: var(--muted); }
.arrays h5 { margin: 8px 0 2px; font-size: 13px; font-weight: 600; }
.arrays pre { margin: 0; overflow-x: auto; font: 12px/1.45 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
`;
