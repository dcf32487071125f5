import type { CaptionMetrics } from '#captions/metrics';
import { METRIC_LABELS } from '#captions/scoring';
import { thumbnailIfReadable } from '#evaluation/report';
import { createRandom } from '#src/random';
import { formatMetric, html, htmlTable, imageDataUri, type SafeHtml } from '#src/tracking';
import type { ScoredSample } from '../reading/index.js';
import type { SharedSet } from './sharedSets.js';

/** Pictures shown of each kind: where the last run gains most over the first, where it loses most, and drawn at random. */
const OF_A_KIND = 4;

/** The paired bootstrap of a test set, and captions of the same pictures side by side. */
export async function captionSection(set: SharedSet): Promise<SafeHtml> {
  const cards = await Promise.all(chosenPictures(set).map(async ({ samples, why }) => pictureCard(set, samples, why)));
  return html`<h3>${set.name}</h3>
${set.duels.map(({ a, b, comparison }) => {
  const names = Object.keys(comparison.scores) as (keyof CaptionMetrics)[];
  const rows = names.map((name) => {
    const { a: ofA, b: ofB, difference, low, high, p, wins, ties, losses } = comparison.scores[name];
    const shown = [formatMetric(ofA), formatMetric(ofB), signed(difference), `${signed(low)} to ${signed(high)}`];
    return {
      cells: [METRIC_LABELS[name], ...shown, p.toFixed(3), `${wins} / ${ties} / ${losses}`].map((content) => ({
        content,
      })),
      emphasised: low > 0 || high < 0,
    };
  });
  return html`<p>a is ${a.label}, b is ${b.label}; ${comparison.numImages} images.</p>
${htmlTable(
  [
    { label: 'metric' },
    ...['a', 'b', 'a − b', '95 % of a − b', 'p'].map((label) => ({ label, numeric: true })),
    { label: 'a better / equal / b better', note: 'images', numeric: true },
  ],
  rows,
)}`;
})}
<p class="muted">Paired bootstrap over images, two-sided p. Emphasised: the interval excludes 0.</p>
<div class="charts compared">${cards}</div>
`;
}

function signed(value: number): string {
  const text = formatMetric(value);
  return value > 0 && Number(text) !== 0 ? `+${text}` : text;
}

interface ChosenPicture {
  readonly samples: readonly ScoredSample[];
  readonly why: string;
}

function chosenPictures({ name, runs, images }: SharedSet): ChosenPicture[] {
  const gain = (samples: readonly ScoredSample[]): number => samples[samples.length - 1].ciderD - samples[0].ciderD;
  const byGain = [...images].sort((a, b) => gain(b) - gain(a));
  const [first, last] = [runs[0].label, runs[runs.length - 1].label];
  const better = byGain.filter((samples) => gain(samples) > 0).slice(0, OF_A_KIND);
  const worse = byGain
    .filter((samples) => gain(samples) < 0)
    .slice(-OF_A_KIND)
    .reverse();
  const taken = new Set([...better, ...worse]);
  const others = createRandom(0, 'compared captions', name)
    .shuffled(images)
    .filter((samples) => !taken.has(samples))
    .slice(0, OF_A_KIND);
  return [
    ...better.map((samples) => ({ samples, why: `where ${last} gains most` })),
    ...worse.map((samples) => ({ samples, why: `where ${first} is better by most` })),
    ...others.map((samples) => ({ samples, why: 'drawn at random' })),
  ];
}

async function pictureCard({ runs }: SharedSet, samples: readonly ScoredSample[], why: string): Promise<SafeHtml> {
  const { image, references } = samples[0];
  const picture = await thumbnailIfReadable(
    image.member ? { path: image.path, member: image.member } : { path: image.path },
  );
  const shown =
    picture === undefined
      ? html`<p class="muted">image not readable</p>`
      : html`<img src="${imageDataUri(picture).uri}" alt="${references[0] ?? 'image'}">`;
  const captions = runs.map(
    ({ label }, i) =>
      html`<dt>${label}</dt><dd>${samples[i].generated === '' ? '(nothing)' : samples[i].generated} <span class="muted">CIDEr-D ${formatMetric(samples[i].ciderD)}</span></dd>`,
  );
  return html`<div class="card">${shown}<p class="muted">${why}</p><dl>${captions}<dt>reference</dt><dd>${references[0] ?? ''}</dd></dl></div>
`;
}

export const captionStyles = html`
.compared img { display: block; width: 128px; height: auto; margin-bottom: 8px; background: var(--line); image-rendering: pixelated; }
.compared dl { display: block; }
.compared dt { font-size: 13px; overflow-wrap: anywhere; }
.compared dd { margin-bottom: 6px; }
`;
