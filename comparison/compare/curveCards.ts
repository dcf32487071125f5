import { html, lineChartSvg, type SafeHtml } from '#src/tracking';
import type { ComparedRun, RunGroup } from './comparedRuns.js';
import { type StepAxis, stepAxes } from './stepAxes.js';

/** Further metrics are in the table of results. */
const MOST_CHARTS = 16;
/** From this ratio of its largest to its smallest value on, a loss has a logarithmic axis. */
const LOG_RATIO = 8;
/** From this ratio between the lengths of the runs on, the horizontal axis is logarithmic. */
const LOG_LENGTHS = 4;

/** What falls by orders of magnitude; a share of one reads best on a linear axis. */
const isLoss = (tag: string): boolean => /(loss|nll|perplexity)$/i.test(tag);

/** The tags that are drawn: losses first. */
function drawnTags(runs: readonly ComparedRun[]): string[] {
  const tags = [...new Set(runs.flatMap(({ series }) => [...series.keys()]))];
  const shown = tags.filter((tag) => tag === 'train/loss' || tag.startsWith('validation/'));
  return [...shown.filter(isLoss), ...shown.filter((tag) => !isLoss(tag))].slice(0, MOST_CHARTS);
}

/** Curves of a group of runs, a card for each metric, against an axis that the reader chooses without a script. */
export function curveCards({ kind, runs }: RunGroup): SafeHtml | undefined {
  const tags = drawnTags(runs);
  if (tags.length === 0) return undefined;
  const axes = stepAxes(runs);
  const choice = axes.map(
    ({ id, label }, i) =>
      html`<label><input type="radio" name="axis-${kind}" value="${id}"${i === 0 && html` checked`}> ${label}</label>`,
  );
  const cards = tags.map(
    (tag) =>
      html`<div class="card">${axes.map((axis) => html`<div class="by-${axis.id}">${curves(tag, runs, axis)}</div>`)}</div>\n`,
  );
  return html`<div class="curves">${axes.length > 1 && html`<fieldset class="axes"><legend>against</legend>${choice}</fieldset>`}<div class="charts">${cards}</div></div>`;
}

/** One metric of several runs. */
function curves(tag: string, runs: readonly ComparedRun[], axis: StepAxis): SafeHtml {
  const series = runs.flatMap((run) => {
    const at = axis.at(run);
    const points = run.series.get(tag);
    if (at === undefined || points === undefined) return [];
    return [{ name: run.label, points: points.map(([step, value]) => [at(step), value] as const) }];
  });
  const ends = series.map(({ points }) => points[points.length - 1][0]);
  const values = series.flatMap(({ points }) => points.map(([, value]) => value)).filter(Number.isFinite);
  return lineChartSvg({
    series,
    yLabel: tag,
    xLabel: axis.label,
    logY: isLoss(tag) && spans(values, LOG_RATIO),
    logX: spans(ends, LOG_LENGTHS),
  });
}

/** Whether positive values lie so far apart that a logarithm shows them better. */
function spans(values: readonly number[], ratio: number): boolean {
  const [low, high] = values.reduce(
    ([least, most], value) => [Math.min(least, value), Math.max(most, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
  return low > 0 && high / low >= ratio;
}

export const curveStyles = html`
.axes { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 0 0 12px; padding: 0; border: 0; }
.axes legend { float: left; margin-right: 12px; padding: 0; color: var(--muted); }
.axes label { cursor: pointer; }
.by-units, .by-flops, .by-time { display: none; }
.curves:has(input[value="units"]:checked) .by-units, .curves:has(input[value="flops"]:checked) .by-flops, .curves:has(input[value="time"]:checked) .by-time { display: block; }
.curves:has(input[value="units"]:checked) .by-step, .curves:has(input[value="flops"]:checked) .by-step, .curves:has(input[value="time"]:checked) .by-step { display: none; }
`;
