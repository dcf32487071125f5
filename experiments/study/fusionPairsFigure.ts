import { lineChartSvg } from '#src/tracking';
import { type StudyScore, slug } from '../config/studyConfig.js';
import { type StudyLine, scoreSpread } from './fusionTable.js';
import type { StudyFigure } from './study.js';

/** Rows at fewer numbers of pairs are left to the table. */
const LEAST_POINTS = 4;
/** What is drawn of the study's scores. */
const DRAWN: readonly StudyScore[] = ['NLL', 'CIDEr-D'];

/**
 * A score against the number of pairs, a figure for each test set: a curve through the means of every row that has enough of them, with
 * a bar from the lowest to the highest seed. None where no row has.
 */
export function pairsFigures(study: string, lines: readonly StudyLine[], scores: readonly StudyScore[]): StudyFigure[] {
  const counted = lines.filter(({ pairs }) => pairs !== null);
  const names = [...new Set(counted.map(({ name }) => name))].filter(
    (name) => counted.filter((line) => line.name === name).length >= LEAST_POINTS,
  );
  const sets = [...new Set(counted.flatMap((line) => [...line.sets.keys()]))];
  return sets.flatMap((set) =>
    scores
      .filter((score) => DRAWN.includes(score))
      .flatMap((score) => {
        const series = names
          .map((name) => seriesOf(name, counted, set, score))
          .filter(({ points }) => points.length >= LEAST_POINTS);
        if (series.length === 0) return [];
        const chart = { series, xLabel: 'pairs', yLabel: score, logX: true, width: 760, height: 460 };
        return [
          {
            name: `${study}-${slug(set)}-${slug(score)}`,
            title: `${score} by number of pairs, ${set}`,
            svg: `${lineChartSvg(chart).markup}\n`,
          },
        ];
      }),
  );
}

function seriesOf(name: string, lines: readonly StudyLine[], set: string, score: StudyScore) {
  const points = lines
    .filter((line) => line.name === name)
    .flatMap((line) => {
      const spread = scoreSpread(line.sets.get(set) ?? [], score);
      return spread === null ? [] : [{ pairs: line.pairs ?? 0, ...spread }];
    })
    .sort((a, b) => a.pairs - b.pairs);
  return {
    name,
    points: points.map((point) => [point.pairs, point.centre] as const),
    ranges: points.map((point) => [point.low, point.high] as const),
  };
}
