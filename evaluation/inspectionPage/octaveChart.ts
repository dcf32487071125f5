import { formatCount, html, type SafeHtml } from '#src/tracking';
import type { OctaveHistogram } from '../inspection/index.js';
import { figure } from './figure.js';

const WIDTH = 220;
const HEIGHT = 56;
const FLOOR = 42;
/** Octaves drawn, the largest values; the rest are in the JSON. */
const MOST_OCTAVES = 24;

/** A small histogram over powers of two; zeros are counted in words. */
export function octaveChart({ zeros, first, counts }: OctaveHistogram, title: string, unit: string): SafeHtml {
  const left = Math.max(0, counts.length - MOST_OCTAVES);
  const shown = counts.slice(left);
  const most = Math.max(1, ...shown);
  const width = WIDTH / Math.max(1, shown.length);
  const edge = (octave: number): string => figure(2 ** octave);
  const total = counts.reduce((sum, count) => sum + count, zeros);
  const below = counts.slice(0, left).reduce((sum, count) => sum + count, 0);
  const bars = shown.map((count, i) => {
    const height = count === 0 ? 0 : Math.max(1, (count / most) * (FLOOR - 2));
    const octave = first + left + i;
    return html`<rect x="${px(i * width)}" y="${px(FLOOR - height)}" width="${px(Math.max(1, width - 1))}" height="${px(height)}"><title>${edge(octave)} to ${edge(octave + 1)}: ${formatCount(count)} ${unit}</title></rect>`;
  });
  const ends =
    shown.length === 0
      ? html`<text x="${WIDTH / 2}" y="${FLOOR / 2}" text-anchor="middle">none above 0</text>`
      : html`<text x="0" y="${HEIGHT - 3}">${edge(first + left)}</text><text x="${WIDTH}" y="${HEIGHT - 3}" text-anchor="end">${edge(first + counts.length)}</text>`;
  const notes = [zeros > 0 && `${formatCount(zeros)} at 0`, below > 0 && `${formatCount(below)} below`].filter(Boolean);
  return html`<figure class="octaves"><figcaption>${title}${notes.length > 0 && html` <small>${notes.join(', ')}</small>`}</figcaption><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}: ${formatCount(total)} ${unit}">${bars}<path d="M0 ${FLOOR}H${WIDTH}"/>${ends}</svg></figure>`;
}

function px(value: number): string {
  return String(Number(value.toFixed(2)));
}

export const octaveChartStyles = html`
.octaves { margin: 0; min-width: 0; }
.octaves figcaption { font-size: 13px; color: var(--muted); line-height: 1.3; }
.octaves small { font-size: 12px; }
.octaves svg { display: block; width: 100%; height: auto; }
.octaves rect { fill: var(--bar-fill); }
.octaves path { stroke: var(--line); }
.octaves text { font-size: 11px; fill: var(--muted); font-family: inherit; }
`;
