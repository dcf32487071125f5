import type { CaptionProbe } from '#captions/metrics';
import { formatMetric, html, htmlTable, type SafeHtml, type TableCell } from '#src/tracking';
import type { EvaluatedSet } from '../evaluation.js';
import { RECALL_RANKS, type Recall } from '../likelihood/index.js';

type Score = Recall[number];

/**
 * What the likelihood of captions tells, however good or poor generation is: a table of forced choice and one of recall.
 *
 * @param probe names the choice between what captions state and its opposite
 */
export function likelihoodTables(sets: readonly EvaluatedSet[], probe: CaptionProbe | undefined): SafeHtml {
  const cell = ({ mean, low, high }: Score, share = true): TableCell => ({
    content: formatMetric(mean),
    note: `${formatMetric(low)}–${formatMetric(high)}`,
    bar: share ? mean : undefined,
  });
  const chosen = sets.flatMap(({ name, likelihood: { relationChoice } }) =>
    relationChoice ? [{ name, choice: relationChoice }] : [],
  );
  const searched = sets.flatMap(({ name, likelihood: { retrieval } }) => (retrieval ? [{ name, retrieval }] : []));
  const directions = [
    ['text → image', 'textToImage'],
    ['image → text, raw NLL', 'imageToText'],
    ['image → text, PMI', 'imageToTextPmi'],
  ] as const;
  return html`<p>No caption is generated here. Forced choice asks whether a reference caption is likelier with its own image than with another one (chance 0.5).
Image gain is the NLL of the language path alone less the NLL with the image.</p>
${htmlTable(
  [
    { label: 'test set' },
    { label: 'own image more likely', note: 'share, chance 0.5', numeric: true },
    { label: 'image gain', note: 'nats/token', numeric: true },
  ],
  sets.map(({ name, likelihood: { forcedChoice } }) => ({
    cells: [{ content: name }, cell(forcedChoice.accuracy), cell(forcedChoice.imageGain, false)],
  })),
)}
${
  probe &&
  chosen.length > 0 &&
  html`<h3>${probe.choice.report.title}</h3><p>${probe.choice.report.text}</p>
${htmlTable(
  [{ label: 'test set' }, ...probe.choice.report.columns.map((label) => ({ label, note: 'share', numeric: true }))],
  chosen.map(({ name, choice: { all, disagree } }) => ({
    cells: [{ content: name }, cell(all), disagree ? cell(disagree) : { content: '–' }],
  })),
)}`
}
${
  searched.length > 0 &&
  html`<h3>Retrieval by likelihood</h3><p>Every caption of a pool is weighed against every image of it; recall at k is the share whose partner is among the first k. Raw likelihood prefers
captions that are likely anyway; PMI subtracts the caption’s NLL without an image. Equal costs count with the share of orders that find the partner.</p>
${htmlTable(
  [{ label: 'test set' }, ...RECALL_RANKS.map((k) => ({ label: `recall at ${k}`, numeric: true }))],
  searched.flatMap(({ name, retrieval }) => [
    ...directions.map(([direction, key]) => ({
      cells: [{ content: name, note: direction }, ...retrieval[key].map((score) => cell(score))],
    })),
    {
      cells: [
        { content: name, note: `chance, pool of ${retrieval.poolSize}` },
        ...RECALL_RANKS.map((k) => ({ content: formatMetric(Math.min(1, k / retrieval.poolSize)) })),
      ],
    },
  ]),
)}`
}`;
}
