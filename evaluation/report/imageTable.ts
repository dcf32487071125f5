import { ABSENT, formatCount, formatMetric, html, type SafeHtml } from '#src/tracking';
import type { CaptionSample, EvaluatedSet } from '../evaluation.js';

/** Rows of one table; the rest are in evaluation.json. */
const MOST_ROWS = 1000;

interface ImageColumn {
  readonly label: string;
  readonly value: (sample: CaptionSample) => number | string;
  readonly shown?: (sample: CaptionSample) => string;
}

const SCORE_COLUMNS: readonly ImageColumn[] = (
  [
    ['CIDEr-D', 'ciderD'],
    ['NLL', 'captionNll'],
    ['BLEU-4', 'bleu4'],
    ['ROUGE-L', 'rougeL'],
  ] as const
).map(([label, key]) => ({ label, value: (sample) => sample[key], shown: (sample) => formatMetric(sample[key]) }));

/** Every image of a set with its caption and scores; the heads sort. */
export function imageTable({ name, numImages, samples }: EvaluatedSet, open: boolean): SafeHtml {
  const hasTruth = samples.some(({ exact }) => exact !== null);
  const columns: ImageColumn[] = [
    { label: 'image', value: ({ imageId }) => imageId },
    ...SCORE_COLUMNS,
    ...(hasTruth
      ? [
          {
            label: 'exact',
            value: ({ exact }: CaptionSample) => Number(exact ?? -1),
            shown: ({ exact }: CaptionSample) => (exact === null ? ABSENT : exact ? '✓' : '✗'),
          },
        ]
      : []),
    { label: 'words', value: ({ generated }) => generated.split(/\s+/).filter(Boolean).length },
  ];
  const rows = samples.slice(0, MOST_ROWS);
  const rest = numImages - rows.length;
  return html`<details${open && html` open`}><summary>${name} <small>${formatCount(numImages)} images${rest > 0 && `, the first ${formatCount(MOST_ROWS)} here, all in evaluation.json`}</small></summary>
<div class="scroll tall"><table class="sortable"><thead><tr>${columns.map(({ label }) => html`<th scope="col" class="number"><button type="button">${label}</button></th>`)}<th scope="col"><button type="button">caption</button></th><th scope="col">reference</th></tr></thead><tbody>
${rows.map((sample) => html`<tr>${columns.map(({ value, shown }) => html`<td class="number" data-value="${value(sample)}">${shown?.(sample) ?? value(sample)}</td>`)}<td class="text">${sample.generated}</td><td class="text muted">${sample.references[0]}</td></tr>\n`)}</tbody></table></div></details>
`;
}

export const imageTableStyles = html`
.tall { max-height: 70vh; overflow: auto; }
.tall thead th { position: sticky; top: 0; z-index: 2; background: var(--card); }
.sortable { font-size: 14px; }
.sortable th:first-child { min-width: 0; position: sticky; }
.sortable th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; text-decoration: underline dotted; text-underline-offset: 3px; }
.sortable th[aria-sort] button { color: var(--ink); font-weight: 650; }
.sortable th[aria-sort=ascending] button::after { content: ' ↑'; }
.sortable th[aria-sort=descending] button::after { content: ' ↓'; }
.sortable .text { min-width: 240px; }
.sortable td { padding: 5px 12px; }
`;
