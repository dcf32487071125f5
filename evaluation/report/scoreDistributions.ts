import { formatMetric, html, type SafeHtml } from '#src/tracking';
import { type EvaluatedSet, ROWS } from '../evaluation.js';

const WIDTH = 430;
const LABEL_WIDTH = 142;
const ROW_HEIGHT = 34;
const AXIS_HEIGHT = 38;
const BINS = 32;
const FONT = 13;

interface Ridge {
  readonly name: string;
  readonly values: readonly number[];
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** How each row's images are spread over CIDEr-D and over caption NLL, with the row's score and its interval below. */
export function scoreDistributions({ rows, perImage }: EvaluatedSet): SafeHtml {
  const ridgesOf = (score: 'ciderD' | 'captionNll'): Ridge[] =>
    rows.flatMap((row) => {
      const [values, mean, interval] = [perImage[row.name]?.[score], row[score], row.intervals[score]];
      return values == null || mean === null || interval === undefined
        ? []
        : [{ name: row.name, values, mean, ...interval }];
    });
  return html`<div class="charts pairs"><div class="card"><h4>CIDEr-D of each image</h4>${ridges(ridgesOf('ciderD'), 10)}</div>
<div class="card"><h4>Caption NLL of each image, nats per token</h4>${ridges(ridgesOf('captionNll'))}</div></div>`;
}

/** One histogram over the other on a common axis; `limit` bounds the axis. */
function ridges(shown: readonly Ridge[], limit = Number.POSITIVE_INFINITY): SafeHtml {
  const highest = Math.max(...shown.flatMap(({ values }) => values).filter(Number.isFinite), 1e-9);
  const step = tickStep(Math.min(limit, highest));
  const high = Math.min(limit, Math.ceil(highest / step) * step);
  const height = shown.length * ROW_HEIGHT + AXIS_HEIGHT;
  const right = WIDTH - 14;
  const x = (value: number): number => round(LABEL_WIDTH + (Math.min(value, high) / high) * (right - LABEL_WIDTH));
  const ticks = Array.from({ length: Math.round(high / step) + 1 }, (_, i) => i * step);
  const bottom = shown.length * ROW_HEIGHT + 6;
  return html`<svg xmlns="http://www.w3.org/2000/svg" class="ridges" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${`histograms: ${shown.map(({ name }) => name).join(', ')}`}" font-family="system-ui, sans-serif" font-size="${FONT}">
<g style="stroke:var(--line)">${ticks.map((tick) => html`<path d="M${x(tick)} 4V${bottom}"/>`)}</g>
<g style="fill:var(--muted)" text-anchor="middle">${ticks.map((tick) => html`<text x="${x(tick)}" y="${bottom + FONT + 4}">${String(round(tick))}</text>`)}</g>
${shown.map((ridge, i) => drawRidge(ridge, (i + 1) * ROW_HEIGHT - 2, high, x))}
</svg>`;
}

function drawRidge({ name, values, mean, low, high }: Ridge, base: number, end: number, x: (value: number) => number) {
  const counts = new Array<number>(BINS).fill(0);
  for (const value of values) counts[Math.min(BINS - 1, Math.max(0, Math.floor((value / end) * BINS)))]++;
  const tallest = Math.max(...counts);
  const top = (count: number): number => round(base - (count / tallest) * (ROW_HEIGHT - 12));
  const outline = counts.map((count, bin) => `L${x((bin * end) / BINS)} ${top(count)}H${x(((bin + 1) * end) / BINS)}`);
  const colour = name === ROWS.model.name ? 'var(--series1)' : 'var(--series6)';
  const score = `${formatMetric(mean)}, 95 % interval ${formatMetric(low)} to ${formatMetric(high)}`;
  return html`<g style="color:${colour}"><title>${`${name}: ${score}`}</title><text x="0" y="${base - 6}" style="fill:var(--ink)"${name === ROWS.model.name && html` font-weight="650"`}>${name}</text>
<path d="M${x(0)} ${base}${outline.join('')}L${x(end)} ${base}Z" fill="currentColor" fill-opacity="0.3"/><path d="M${x(low)} ${base}H${x(high)}" stroke="currentColor" stroke-width="4"/><circle cx="${x(mean)}" cy="${base}" r="4" fill="currentColor"/></g>
`;
}

/** 1, 2 or 5 times a power of ten, for four to ten steps. */
function tickStep(high: number): number {
  const power = 10 ** Math.floor(Math.log10(high / 4));
  const factor = [1, 2, 5, 10].find((candidate) => high / (candidate * power) <= 10) as number;
  return factor * power;
}

function round(value: number): number {
  return Number(value.toFixed(2));
}

export const scoreDistributionsStyles = html`
.ridges { display: block; width: 100%; height: auto; }
h4 { margin: 0 0 8px; font-size: 14px; font-weight: 600; }
`;
