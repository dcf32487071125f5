import { html, type SafeHtml } from '#src/tracking';
import type { StudyScore } from '../config/studyConfig.js';
import { type StudyLine, scoreSpread } from './fusionTable.js';
import type { Spread } from './spread.js';

const WIDTH = 900;
/** Least width of the labels' column, and of a character there. */
const LABELS = 330;
const CHARACTER = 7;
const RIGHT = 24;
/** Least height of a row, and the distance of two test sets in it. */
const ROW = 22;
const STEP = 6;
const TOP = 46;
const FONT = 13;
/** Readable on white and for those who see no red or green. */
const COLOURS = ['#1d4ed8', '#c2570c', '#047857', '#6d28d9'];

/**
 * One line per row of the study: a dot at the mean over seeds and a bar from the lowest to the highest, one colour for
 * each test set. Standalone SVG.
 *
 * @param score in [0, highest]; lines without it are left out
 */
export function studyFigure(lines: readonly StudyLine[], score: StudyScore, title: string, highest: number): SafeHtml {
  const sets = [...new Set(lines.flatMap((line) => [...line.sets.keys()]))];
  const drawn = lines.filter((line) => sets.some((set) => scoreSpread(line.sets.get(set) ?? [], score) !== null));
  const rowHeight = Math.max(ROW, sets.length * STEP + 10);
  const height = TOP + drawn.length * rowHeight + 34;
  const labels = drawn.map(({ name, pairs }) => (pairs === null ? name : `${name}, ${pairs} pairs`));
  const left = Math.max(LABELS, 20 + CHARACTER * Math.max(...labels.map((label) => label.length)));
  const x = (value: number): number => left + (Math.min(value, highest) / highest) * (WIDTH - left - RIGHT);
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => share * highest);
  const bottom = TOP + drawn.length * rowHeight;
  const mark = ({ centre, low, high }: Spread, y: number, colour: string): SafeHtml =>
    html`<line x1="${x(low)}" x2="${x(high)}" y1="${y}" y2="${y}" stroke="${colour}" stroke-width="3" stroke-opacity="0.45"/><circle cx="${x(centre)}" cy="${y}" r="4" fill="${colour}"/>`;
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="${FONT}">
<title>${title}</title>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="8" y="20" font-weight="bold">${title}</text>
${sets.map((set, i) => html`<circle cx="${left + i * 130 + 6}" cy="${34}" r="4" fill="${COLOURS[i % COLOURS.length]}"/><text x="${left + i * 130 + 16}" y="38">${set}</text>`)}
${ticks.map((tick) => html`<line x1="${x(tick)}" x2="${x(tick)}" y1="${TOP}" y2="${bottom}" stroke="#d4d4d8"/><text x="${x(tick)}" y="${bottom + 18}" text-anchor="middle" fill="#52525b">${Number(tick.toFixed(2))}</text>`)}
${drawn.map((line, row) => {
  const y = TOP + row * rowHeight + rowHeight / 2;
  return html`<text x="8" y="${y + 4}">${labels[row]}</text>${sets.map((set, i) => {
    const spread = scoreSpread(line.sets.get(set) ?? [], score);
    return spread && mark(spread, y + (i - (sets.length - 1) / 2) * STEP, COLOURS[i % COLOURS.length]);
  })}`;
})}
</svg>
`;
}
