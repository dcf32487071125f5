import sharp from 'sharp';
import { html, imageDataUri, type SafeHtml } from '#src/tracking';
import type { GroupUse } from '../inspection/index.js';

/** Parameter tokens side by side; of more, neighbours share a column. */
export const MOST_COLUMNS = 1024;

/** Colours from an octave below to one above the scale, evenly spaced. */
const COLOURS = [
  [30, 27, 75],
  [67, 56, 202],
  [37, 132, 235],
  [45, 190, 170],
  [250, 204, 21],
] as const;
const DEAD = [220, 38, 38] as const;
/** Octaves of the scale around the mean of the layer. */
const [LOWEST, HIGHEST] = [-4, 3];

/** A strip of colours, a parameter token a column in the order of the group: its mean use against the mean of the layer. */
export async function useStrip(
  { use, layerMean, dead }: Pick<GroupUse, 'use' | 'layerMean' | 'dead'>,
  label: string,
): Promise<SafeHtml> {
  const isDead = new Set(dead);
  const perColumn = Math.ceil(use.length / MOST_COLUMNS);
  const width = Math.ceil(use.length / perColumn);
  const pixels = new Uint8Array(3 * width);
  for (let column = 0; column < width; column++) {
    const tokens = Array.from({ length: perColumn }, (_, i) => column * perColumn + i).filter((i) => i < use.length);
    const most = Math.max(...tokens.map((token) => use[token]));
    pixels.set(tokens.every((token) => isDead.has(token)) ? DEAD : colourOf(most / layerMean), 3 * column);
  }
  const png = await sharp(pixels, { raw: { width, height: 1, channels: 3 } })
    .png()
    .toBuffer();
  return html`<img class="strip" src="${imageDataUri(png).uri}" alt="${label}" title="${label}">`;
}

function colourOf(relative: number): readonly number[] {
  const octave = relative > 0 ? Math.log2(relative) : LOWEST;
  const place = Math.min(1, Math.max(0, (octave - LOWEST) / (HIGHEST - LOWEST))) * (COLOURS.length - 1);
  const below = Math.min(COLOURS.length - 2, Math.floor(place));
  return COLOURS[below].map((from, c) => Math.round(from + (place - below) * (COLOURS[below + 1][c] - from)));
}

/** What the colours mean. */
export function stripLegend(): SafeHtml {
  const stops = COLOURS.map((rgb) => `rgb(${rgb.join(' ')})`).join(', ');
  return html`<p class="strip-legend"><span>≤ 1/16 of the layer’s mean</span><i style="background:linear-gradient(to right, ${stops})"></i><span>≥ 8 times</span><i class="dead-key" style="background:rgb(${DEAD.join(' ')})"></i><span>dead</span></p>`;
}

export const useStripStyles = html`
.strip { display: block; width: 100%; height: 44px; image-rendering: pixelated; border-radius: 3px; background: var(--line); }
.strip-legend { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 10px; font-size: 13px; color: var(--muted); }
.strip-legend i { width: 160px; height: 12px; border-radius: 3px; }
.strip-legend .dead-key { width: 12px; margin-left: 10px; }
`;
