import { html, type SafeHtml } from '#src/tracking';
import type { CaptionSample, EvaluatedSet } from '../evaluation.js';

const SIDE = 300;
const MARGIN = 40;
const FONT = 13;

/** Words of each caption against words of the reference nearest in length: darker squares hold more images. */
export function lengthCalibration({ samples, diagnostics }: EvaluatedSet): SafeHtml {
  const lengths = samples.map(wordCounts);
  const longest = Math.max(1, ...lengths.flat());
  // At most forty squares a side.
  const perSquare = Math.ceil((longest + 1) / 40);
  const squares = Math.floor(longest / perSquare) + 1;
  const bottom = SIDE - MARGIN;
  const size = bottom / squares;
  const counts = new Map<number, number>();
  for (const [generated, referenced] of lengths) {
    const key = Math.floor(generated / perSquare) * squares + Math.floor(referenced / perSquare);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const most = Math.max(...counts.values());
  const labelEvery = Math.ceil(squares / 6);
  const labels = Array.from({ length: squares }, (_, i) => i).filter((i) => i % labelEvery === 0);
  /** From the left edge of the first square to that of another, and from the bottom up. */
  const across = (square: number): string => (MARGIN + square * size).toFixed(2);
  const up = (square: number): string => (bottom - square * size).toFixed(2);
  return html`<svg xmlns="http://www.w3.org/2000/svg" class="lengths" viewBox="0 0 ${SIDE + 6} ${SIDE}" role="img" aria-label="words generated against words of the nearest reference" font-family="system-ui, sans-serif" font-size="${FONT}">
<rect x="${MARGIN}" y="0" width="${bottom}" height="${bottom}" fill="none" style="stroke:var(--line)"/>
${[...counts].map(([key, count]) => {
  const [generated, referenced] = [Math.floor(key / squares), key % squares];
  const title = `${generated * perSquare} words generated, ${referenced * perSquare} in the nearest reference: ${count} image${count === 1 ? '' : 's'}`;
  return html`<rect x="${across(referenced)}" y="${up(generated + 1)}" width="${size.toFixed(2)}" height="${size.toFixed(2)}" style="fill:var(--series1)" fill-opacity="${(0.15 + (0.85 * count) / most).toFixed(2)}"><title>${title}</title></rect>`;
})}
<path d="M${MARGIN} ${bottom}L${SIDE} 0" style="stroke:var(--muted)" stroke-dasharray="4 4"/>
<g style="fill:var(--muted)">${labels.map((i) => html`<text x="${across(i + 0.5)}" y="${bottom + FONT + 2}" text-anchor="middle">${i * perSquare}</text><text x="${MARGIN - 6}" y="${up(i + 0.35)}" text-anchor="end">${i * perSquare}</text>`)}<text x="${SIDE}" y="${SIDE - 3}" text-anchor="end">words of the nearest reference</text><text x="12" y="${bottom / 2}" text-anchor="middle" transform="rotate(-90 12 ${bottom / 2})">words generated</text></g>
</svg>
<p class="muted">Length ratio ${diagnostics.lengthRatio.toFixed(3)}, mean ${diagnostics.meanLength.toFixed(1)} words; on the dashed line captions are as long as a reference.</p>`;
}

function wordCounts({ generated, references }: CaptionSample): [generated: number, referenced: number] {
  const count = (text: string): number => text.split(/\s+/).filter((word) => word !== '').length;
  const own = count(generated);
  const nearest = references.map(count).reduce((a, b) => (Math.abs(b - own) < Math.abs(a - own) ? b : a));
  return [own, nearest];
}

export const lengthCalibrationStyles = html`
.lengths { display: block; width: 100%; max-width: 360px; height: auto; margin-bottom: 8px; }
.diagnostics { display: grid; gap: 16px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); }
`;
