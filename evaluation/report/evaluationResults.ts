import type { CaptionProbe } from '#captions/metrics';
import { type EvaluatedSet, type EvaluationRow, leftOutNote, ROWS, scoresByName } from '../evaluation.js';
import type { ReportResults, ReportScore, ReportScores } from './reportData.js';

/**
 * The scores of an evaluated set as a report shows them: the model above its controls, then its domains.
 *
 * @param probe names the attributes, where the set has any
 */
export function evaluationResults(set: EvaluatedSet, probe: CaptionProbe | undefined): ReportResults {
  const { name, numImages, rows, domains } = set;
  return {
    testSet: name,
    numImages,
    note: leftOutNote(set),
    attributes: probe?.columns,
    rows: [
      ...rows.map((row) => ({
        name: row.name,
        kind: row.name === ROWS.model.name ? ('model' as const) : ('control' as const),
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
  return Object.fromEntries(
    Object.entries(scoresByName(row)).map(([score, mean]): [string, ReportScore] => {
      const interval = row.intervals[score];
      return [score, mean === null || interval === undefined ? mean : { mean, ...interval }];
    }),
  );
}
