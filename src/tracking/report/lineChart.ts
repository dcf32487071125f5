import { linearTicks, logTicks } from './axisTicks.js';
import { type HtmlPart, html, type SafeHtml } from './html.js';
import { formatCount } from './numberFormat.js';
import { type ChartPoint, thinPoints } from './thinPoints.js';

export interface ChartSeries {
  readonly name: string;
  /** In order of step. A value that is not finite, is beyond ±1e100, or has no logarithm under `logY` breaks the line. */
  readonly points: readonly ChartPoint[];
  /** The lowest and the highest value at each point, drawn as a bar; the points are then marked by dots. */
  readonly ranges?: readonly (readonly [low: number, high: number])[];
}

export interface LineChart {
  readonly series: readonly ChartSeries[];
  /** With its unit, such as 'loss (nats/token)'. */
  readonly yLabel: string;
  /** Default: 'step'. */
  readonly xLabel?: string;
  readonly logY?: boolean;
  /** Points at 0 and below are then left out. */
  readonly logX?: boolean;
  /** Size in user units, which are pixels if the chart is not scaled. Default: 400 x 270. */
  readonly width?: number;
  readonly height?: number;
}

const FONT = 13;
/** Mean character width of a sans-serif font, in pixels at FONT. */
const CHARACTER = 7;
const LEGEND_ROW = 19;
/** Protects axes from overflow and from values that a logarithm cannot distinguish from zero. */
const LARGEST = 1e100;
const MAX_POINTS = 320;
const MAX_HOVER_POINTS = 40;
const NUM_COLOURS = 6;
const FALLBACK_COLOURS = ['#2563eb', '#c2570c', '#047857', '#a21caf', '#b91c1c', '#475569'];

/**
 * Draws curves over steps as one SVG document: round ticks, a legend with each curve's last value, and values as hover
 * titles. Colours use the page's custom properties (`--series1` to `--series6`, `--ink`, `--muted`, `--line`) with
 * fallbacks, so that the SVG also works standalone.
 */
export function lineChartSvg(chart: LineChart): SafeHtml {
  const { yLabel, xLabel = 'step', logY = false, logX = false, width = 400, height = 270 } = chart;
  const lowest = logY ? 1 / LARGEST : -LARGEST;
  const drawable = ([step, value]: ChartPoint) =>
    Math.abs(step) <= LARGEST && (!logX || step >= 1 / LARGEST) && value >= lowest && value <= LARGEST;
  const all = chart.series.flatMap(({ points }) => points.filter(drawable));

  const legend = placeLegend(chart.series, drawable, width);
  const top = FONT + 8 + LEGEND_ROW * (1 + (legend.at(-1)?.row ?? -1)) + 8;
  const bottom = height - 2 * FONT - 14;
  const bounds = chart.series.flatMap(({ ranges = [] }) => ranges.flat().filter((value) => drawable([1, value])));
  const y = verticalAxis([...all.map(([, value]) => value), ...bounds], logY);
  const x = horizontalAxis(
    all.map(([step]) => step),
    logX,
  );
  const left = 10 + CHARACTER * Math.max(2, ...y.labels.map((label) => label.length));
  const right = width - Math.max(20, 2 + (CHARACTER * (x.labels.at(-1)?.length ?? 0)) / 2);
  const xAt = (step: number) => {
    const at = (v: number) => (logX ? Math.log(v) : v);
    return round(left + ((at(step) - at(x.low)) / (at(x.high) - at(x.low))) * (right - left));
  };
  const yAt = (value: number) => {
    const at = (v: number) => (logY ? Math.log(v) : v);
    return round(bottom - ((at(value) - at(y.low)) / (at(y.high) - at(y.low))) * (bottom - top));
  };

  const names = chart.series.map(({ name }) => name).join(', ');
  return html`<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 ${width} ${height}" role="img" aria-label="${`${yLabel} over ${xLabel}: ${names}`}" font-family="system-ui, sans-serif" font-size="${FONT}">
<text x="0" y="${FONT}" style="fill:var(--muted, #5b6472)">${yLabel}${logY && ', log scale'}</text>
${legend.map(
  ({ name, last, index, x: at, row }) =>
    html`<g transform="translate(${at} ${FONT + 8 + LEGEND_ROW * row})"><path d="M0 9H16" ${strokeOf(index)}/><text x="21" y="13.5" style="fill:var(--ink, #1c2330)">${name}<tspan dx="5" style="fill:var(--muted, #5b6472)">${last}</tspan></text></g>`,
)}
<g class="grid" style="stroke:var(--line, #dde2ea)">${y.values.map((value) => html`<path d="M${left} ${yAt(value)}H${right}"/>`)}</g>
<g style="fill:var(--muted, #5b6472)">${y.values.map((value, i) => html`<text x="${left - 7}" y="${yAt(value) + 4.5}" text-anchor="end">${y.labels[i]}</text>`)}${x.values.map((value, i) => html`<text x="${xAt(value)}" y="${bottom + FONT + 6}" text-anchor="middle">${x.labels[i]}</text>`)}<text x="${right}" y="${height - 4}" text-anchor="end">${xLabel}${logX && ', log scale'}</text></g>
${all.length === 0 && html`<text x="${(left + right) / 2}" y="${(top + bottom) / 2}" text-anchor="middle" style="fill:var(--muted, #5b6472)">no values</text>`}
${chart.series.map((series, index) => drawRanges(series, index, drawable, xAt, yAt))}
${chart.series.map((series, index) => drawSeries(series, index, drawable, xAt, yAt, xLabel))}
</svg>`;
}

function drawRanges(
  { points, ranges = [] }: ChartSeries,
  index: number,
  drawable: (point: ChartPoint) => boolean,
  xAt: (step: number) => number,
  yAt: (value: number) => number,
): HtmlPart {
  const bars = ranges.flatMap((range, i) => {
    const [step, value] = points[i];
    if (![value, ...range].every((each) => drawable([step, each]))) return [];
    const [x, low, high] = [xAt(step), ...range.map(yAt)];
    return html`<path d="M${x} ${low}V${high}" stroke="currentColor" stroke-width="3" stroke-opacity="0.45"/><circle cx="${x}" cy="${yAt(value)}" r="3" fill="currentColor"/>`;
  });
  return bars.length > 0 && html`<g style="color:${colourOf(index)}">${bars}</g>`;
}

function drawSeries(
  { name, points }: ChartSeries,
  index: number,
  drawable: (point: ChartPoint) => boolean,
  xAt: (step: number) => number,
  yAt: (value: number) => number,
  xLabel: string,
): SafeHtml {
  const runs = unbrokenRuns(points, drawable);
  const numPoints = runs.reduce((sum, run) => sum + run.length, 0);
  const thinned = runs.map((run) => thinPoints(run, Math.max(4, Math.ceil((MAX_POINTS * run.length) / numPoints))));
  const shown = thinned.flat();
  const hoverEvery = Math.ceil(shown.length / MAX_HOVER_POINTS);
  const hovers = shown.filter((_, i) => i % hoverEvery === 0 || i === shown.length - 1);
  const lines = thinned.filter((run) => run.length > 1);
  const path = lines.map((run) => `M${run.map(([step, value]) => `${xAt(step)} ${yAt(value)}`).join('L')}`).join('');
  return html`<g class="series" style="color:${colourOf(index)}">${path !== '' && html`<path d="${path}" ${strokeOf(index)} stroke-linejoin="round"/>`}${thinned.map((run) => run.length === 1 && html`<circle cx="${xAt(run[0][0])}" cy="${yAt(run[0][1])}" r="3" fill="currentColor"/>`)}${hovers.map(([step, value]) => html`<circle class="hover" cx="${xAt(step)}" cy="${yAt(value)}" r="6" fill="currentColor" fill-opacity="0"><title>${name} at ${xLabel} ${formatCount(step)}: ${formatValue(value)}</title></circle>`)}</g>`;
}

function unbrokenRuns(points: readonly ChartPoint[], drawable: (point: ChartPoint) => boolean): ChartPoint[][] {
  const runs: ChartPoint[][] = [];
  let run: ChartPoint[] = [];
  for (const point of points) {
    if (drawable(point)) {
      if (run.length === 0) runs.push(run);
      run.push(point);
    } else run = [];
  }
  return runs;
}

interface Axis {
  readonly low: number;
  readonly high: number;
  readonly values: readonly number[];
  readonly labels: readonly string[];
}

function verticalAxis(values: readonly number[], logY: boolean): Axis {
  let [low, high] = extent(values) ?? (logY ? [0.1, 1] : [0, 1]);
  if (logY) {
    const ticks = logTicks(low, high, 7);
    return { low: ticks.values[0], high: ticks.values[ticks.values.length - 1], ...ticks };
  }
  // If the range starts near zero, so does the axis, which keeps differences in proportion.
  if (low > 0 && low < 0.4 * high) low = 0;
  if (high - low <= Math.max(1e-30, 1e-9 * Math.abs(high))) {
    const margin = Math.abs(high) > 1e-30 ? Math.abs(high) / 2 : 0.5;
    [low, high] = [low - margin, high + margin];
  }
  const ticks = linearTicks(low, high, 6, { cover: true });
  return { low: ticks.values[0], high: ticks.values[ticks.values.length - 1], ...ticks };
}

function horizontalAxis(steps: readonly number[], logX: boolean): Axis {
  let [low, high] = extent(steps) ?? (logX ? [0.1, 1] : [0, 1]);
  if (logX) {
    const ticks = logTicks(low, high, 7);
    return { low: ticks.values[0], high: ticks.values[ticks.values.length - 1], ...ticks };
  }
  if (low > 0 && low < 0.1 * high) low = 0;
  if (low === high) [low, high] = [low - 1, high + 1];
  return { low, high, ...linearTicks(low, high, 6, { minStep: steps.every(Number.isInteger) ? 1 : 0 }) };
}

function extent(values: readonly number[]): [low: number, high: number] | undefined {
  if (values.length === 0) return undefined;
  return values.reduce<[number, number]>(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [values[0], values[0]],
  );
}

function placeLegend(series: readonly ChartSeries[], drawable: (point: ChartPoint) => boolean, width: number) {
  let x = 0;
  let row = 0;
  return series.map(({ name, points }, index) => {
    const lastPoint = points.filter(drawable).at(-1);
    const last = lastPoint === undefined ? '' : formatValue(lastPoint[1]);
    const itemWidth = 21 + CHARACTER * (name.length + last.length) + 5;
    if (x > 0 && x + itemWidth > width) {
      x = 0;
      row++;
    }
    const placed = { name, last, index, x, row };
    x += itemWidth + 16;
    return placed;
  });
}

function colourOf(index: number): string {
  const slot = index % NUM_COLOURS;
  return `var(--series${slot + 1}, ${FALLBACK_COLOURS[slot]})`;
}

/** After the sixth curve, colours repeat with dashed lines. */
function strokeOf(index: number): SafeHtml {
  const dash = index >= NUM_COLOURS && html` stroke-dasharray="5 4"`;
  return html`fill="none" style="stroke:${colourOf(index)}" stroke-width="1.8"${dash}`;
}

/** Four significant digits, for values of any magnitude. */
function formatValue(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2);
  return Number.isInteger(value) ? formatCount(value) : value.toPrecision(4);
}

function round(pixels: number): number {
  return Number(pixels.toFixed(1));
}
