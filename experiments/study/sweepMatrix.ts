import { formatMetric, html, type SafeHtml } from '#src/tracking';
import type { SweepExperiment, SweepMatrix } from '../config/sweepConfig.js';
import type { StudyFigure } from './study.js';
import { type SweepLine, sweepLines } from './sweepLines.js';
import type { SweepRecord } from './sweepStudy.js';

const CELL = { width: 50, height: 26 };
const FONT = 12;
const CHARACTER = 7;
const TITLES = 64;
/** Of the lowest and of the highest value, in red, green and blue. */
const [LOW, HIGH] = [
  [15, 118, 110],
  [240, 253, 250],
] as const;
const MISSING = '#e4e4e7';

/** The matrices of a sweep: a cell for each of its points, coloured and lettered by a score, grey where there is none. Standalone SVG. */
export function sweepMatrices(sweep: SweepExperiment, records: readonly SweepRecord[]): StudyFigure[] {
  const lines = sweepLines(sweep, records);
  return sweep.matrices.map((matrix) => ({
    name: `${sweep.name}-${matrix.name}`,
    title: matrix.title,
    svg: `${matrixSvg(matrix, lines).markup}\n`,
  }));
}

function matrixSvg({ title, across, down, value }: SweepMatrix, lines: readonly SweepLine[]): SafeHtml {
  const labelOf = ({ row, point }: SweepLine, keys: readonly string[]): string =>
    [row, keys.map((key) => point[key] ?? '–').join(' ')].join(' · ');
  const cells = lines.flatMap((line) => {
    const score = line.score(value);
    return score ? [{ column: labelOf(line, across.keys), row: labelOf(line, down.keys), score: score.centre }] : [];
  });
  const columns = [...new Set(cells.map(({ column }) => column))];
  const rows = [...new Set(cells.map(({ row }) => row))];
  const scores = cells.map(({ score }) => score);
  const [lowest, highest] = [Math.min(...scores), Math.max(...scores)];
  const margin = 16 + CHARACTER * Math.max(0, ...[...columns, ...rows].map(({ length }) => length));
  const top = TITLES + margin;
  const width = Math.max(margin + columns.length * CELL.width + 8, 16 + CHARACTER * title.length);
  const height = top + rows.length * CELL.height + 8;
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="${FONT}">
<title>${title}</title>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="8" y="20" font-weight="bold">${title}</text>
<text x="8" y="38" fill="#52525b">across: ${across.title}</text>
<text x="8" y="54" fill="#52525b">down: ${down.title}</text>
<rect x="${margin}" y="${top}" width="${columns.length * CELL.width}" height="${rows.length * CELL.height}" fill="${MISSING}"/>
${columns.map((label, i) => {
  const x = margin + (i + 0.5) * CELL.width + FONT / 3;
  return html`<text x="${x}" y="${top - 6}" transform="rotate(-90 ${x} ${top - 6})">${label}</text>`;
})}
${rows.map((label, i) => html`<text x="8" y="${top + (i + 0.5) * CELL.height + FONT / 3}">${label}</text>`)}
${cells.map(({ column, row, score }) => {
  const share = highest > lowest ? (score - lowest) / (highest - lowest) : 0;
  const colour = LOW.map((low, i) => Math.round(low + share * (HIGH[i] - low))).join(',');
  const [x, y] = [margin + columns.indexOf(column) * CELL.width, top + rows.indexOf(row) * CELL.height];
  return html`<rect x="${x}" y="${y}" width="${CELL.width - 1}" height="${CELL.height - 1}" fill="rgb(${colour})"/><text x="${x + CELL.width / 2}" y="${y + CELL.height / 2 + FONT / 3}" text-anchor="middle" fill="${share < 0.3 ? '#ffffff' : '#18181b'}">${formatMetric(score)}</text>`;
})}
</svg>`;
}
