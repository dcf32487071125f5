import { type EvaluatedSet, type EvaluationRow, ROWS, type ScoreName } from '../evaluation.js';
import type { ReportResults, ReportScore, ReportScores } from './reportData.js';

/** The scores of an evaluated set as a report shows them: the model above its controls, then its domains. */
export function evaluationResults({ name, numImages, rows, domains }: EvaluatedSet): ReportResults {
  return {
    testSet: name,
    numImages,
    rows: [
      ...rows.map((row) => ({
        name: row.name,
        kind: row.name === ROWS.model ? ('model' as const) : ('control' as const),
        scores: scoresOf(row),
      })),
      ...domains.map(({ domain, numImages: count, row }) => ({
        name: domain,
        note: `the model, ${count} images`,
        kind: 'control' as const,
        scores: scoresOf(row),
      })),
    ],
  };
}

function scoresOf(row: EvaluationRow): ReportScores {
  const { intervals, attributes, captionNll, ciderD, bleu4, meteorExactStem, rougeL } = row;
  const { object, colour, shape, size, relation, relationDisagree, exactScene } = attributes ?? {};
  const values = {
    ...{ object, colour, shape, size, relation, relationDisagree, exactScene },
    ...{ captionNll, ciderD, bleu4, meteorExactStem, rougeL },
  };
  return Object.fromEntries(
    Object.entries(values).map(([score, mean]): [string, ReportScore | undefined] => {
      const interval = intervals[score as ScoreName];
      return [score, mean == null || interval === undefined ? mean : { mean, ...interval }];
    }),
  );
}
