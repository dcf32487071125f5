import { lineChartSvg } from '#src/tracking';
import type { SweepExperiment } from '../config/sweepConfig.js';
import type { StudyFigure } from './study.js';
import { type SweepLine, sweepLines } from './sweepLines.js';
import type { SweepRecord } from './sweepStudy.js';

/** The figures of a sweep: for each line of its rows a curve through their centres, with a bar from the lowest to the highest seed. */
export function sweepFigures(sweep: SweepExperiment, records: readonly SweepRecord[]): StudyFigure[] {
  const lines = sweepLines(sweep, records);
  const nameOf = (line: SweepLine): string => sweep.rows.find(({ name }) => name === line.row)?.line ?? line.row;
  const names = [...new Set(lines.map(nameOf))];
  return sweep.figures.map(({ name, title, x, y, logX, logY }) => {
    const series = names.map((each) => {
      const points = lines
        .filter((line) => nameOf(line) === each)
        .flatMap((line) => {
          const [across, up] = [xOf(line, x), line.score(y)];
          return across === undefined || up === null ? [] : [{ x: across, ...up }];
        })
        .sort((a, b) => a.x - b.x);
      return {
        name: each,
        points: points.map((point) => [point.x, point.centre] as const),
        ranges: points.map((point) => [point.low, point.high] as const),
      };
    });
    const drawn = series.filter(({ points }) => points.length > 0);
    const chart = { series: drawn, xLabel: x, yLabel: y, logX, logY, width: 760, height: 460 };
    return { name: `${sweep.name}-${name}`, title, svg: `${lineChartSvg(chart).markup}\n` };
  });
}

/** Where a line stands on the x axis: at a key's value, or at the centre of a score. */
function xOf(line: SweepLine, x: string): number | undefined {
  const value = line.point[x];
  return typeof value === 'number' ? value : line.score(x)?.centre;
}
