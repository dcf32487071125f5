import type { StepEntry } from '#src/tracking';
import type { SeriesPoint } from '../reading/index.js';
import type { ComparedRun } from './comparedRuns.js';

/** What curves can be drawn against. */
export interface StepAxis {
  /** Distinguishes it in the page. */
  readonly id: 'step' | 'units' | 'flops' | 'time';
  readonly label: string;
  /** Where a step of a run lies; undefined for a run that does not say. */
  at(run: ComparedRun): ((step: number) => number) | undefined;
}

const UNITS = ['tokens', 'images', 'pairs'] as const;

/** The axes that at least one of the runs has. */
export function stepAxes(runs: readonly ComparedRun[]): StepAxis[] {
  const unit = UNITS.find((name) => runs.some(({ series }) => series.has(`train/${name}`)));
  const axes: StepAxis[] = [
    { id: 'step', label: 'step', at: () => (step) => step },
    ...(unit === undefined
      ? []
      : [
          {
            id: 'units' as const,
            label: unit,
            at: (run: ComparedRun) => interpolated(run.series.get(`train/${unit}`)),
          },
        ]),
    { id: 'flops', label: 'FLOPs', at: ({ series }) => interpolated(series.get('train/flops')) },
    { id: 'time', label: 'seconds of training', at: ({ timing }) => interpolated(elapsed(timing)) },
  ];
  return axes.filter(({ at }) => runs.some((run) => at(run) !== undefined));
}

/** Seconds of training by step: a logged step stands for those since the one logged before. */
function elapsed(timing: readonly StepEntry[]): SeriesPoint[] {
  const points: SeriesPoint[] = [[0, 0]];
  for (const { step, values } of timing) {
    const [before, seconds] = points[points.length - 1];
    if (step > before && values.stepSeconds > 0) points.push([step, seconds + (step - before) * values.stepSeconds]);
  }
  return points;
}

/** The straight line between the points before and after a step; the last one goes on. Undefined for fewer than two points. */
function interpolated(points: readonly SeriesPoint[] | undefined): ((step: number) => number) | undefined {
  if (points === undefined || points.length < 2) return undefined;
  return (step) => {
    let [low, next] = [0, points.length - 1];
    while (next - low > 1) {
      const middle = (low + next) >> 1;
      if (points[middle][0] >= step) next = middle;
      else low = middle;
    }
    const [[x0, y0], [x1, y1]] = [points[next - 1], points[next]];
    return y0 + ((step - x0) / (x1 - x0)) * (y1 - y0);
  };
}
