import type { SetScore } from '../reading/index.js';
import type { ComparedRun, RunGroup } from './comparedRuns.js';

/** A number of every run of a group; null where a run has none. */
export interface FinalNumber {
  /** The test set of a score. */
  readonly set?: string;
  readonly name: string;
  /** In the order of the runs. */
  readonly values: readonly (number | null)[];
  /** 95 % intervals, where the numbers are scores with such. */
  readonly intervals?: readonly (readonly [low: number, high: number] | null)[];
}

/** What the runs of a group came to: training by its last values, evaluations by the scores of their models. */
export function finalNumbers(group: RunGroup): FinalNumber[] {
  return group.kind === 'evaluate' ? scoresOfModels(group) : lastValues(group);
}

function lastValues({ runs }: RunGroup): FinalNumber[] {
  const number = (name: string, of: (run: ComparedRun) => number | null | undefined): FinalNumber => ({
    name,
    values: runs.map((run) => of(run) ?? null),
  });
  const tags = [...new Set(runs.flatMap(({ series }) => [...series.keys()]))];
  const shown = tags.filter((tag) => tag === 'train/loss' || tag.startsWith('validation/')).sort();
  // Runs may be selected by different metrics.
  const metrics = new Set(runs.flatMap(({ summary }) => summary.metric ?? []));
  return [
    number('steps', ({ summary }) => summary.step),
    ...[...metrics].map((metric) =>
      number(`best ${metric}`, ({ summary }) => (summary.metric === metric ? summary.best : null)),
    ),
    number('best at step', ({ summary }) => summary.bestStep),
    ...shown.map((tag) => number(tag, ({ series }) => series.get(tag)?.at(-1)?.[1])),
    number('seconds a step', ({ timing }) => middleOf(timing.flatMap(({ values }) => values.stepSeconds ?? []))),
    number('seconds', ({ summary }) => summary.seconds),
    number('bytes', ({ summary }) => summary.bytes),
  ].filter(({ values }) => values.some((value) => value !== null));
}

/** The median; undefined of nothing. */
function middleOf(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

function scoresOfModels({ runs }: RunGroup): FinalNumber[] {
  const models = runs.map(({ sets }) => new Map(sets.map(({ name, rows }) => [name, rows[0]?.scores ?? []])));
  const sets = [...new Set(models.flatMap((model) => [...model.keys()]))];
  return sets.flatMap((set) => {
    const names = [...new Set(models.flatMap((model) => (model.get(set) ?? []).map(({ name }) => name)))];
    return names.map((name) => {
      const scores = models.map((model) => model.get(set)?.find((score) => score.name === name));
      return {
        ...{ set, name },
        values: scores.map((score) => score?.value ?? null),
        intervals: scores.map(intervalOf),
      };
    });
  });
}

function intervalOf(score: SetScore | undefined): readonly [number, number] | null {
  return score === undefined || score.low === null || score.high === null ? null : [score.low, score.high];
}
