import type { CaptionProbe, Interval } from '#captions/metrics';
import { COLUMNS, renderTable, wrapText } from '#src/cli';
import { formatPerplexity } from '#src/tracking';
import { type EvaluatedSet, leftOutNote, scoresByName } from './evaluation.js';
import { RECALL_RANKS, type Recall } from './likelihood/index.js';

type Column = readonly [label: string, score: string];

const NGRAM_COLUMNS: readonly Column[] = [
  ['BLEU-4', 'bleu4'],
  ['METEOR-like', 'meteorExactStem'],
  ['ROUGE-L', 'rougeL'],
];

/**
 * A test set's rows, 95 % intervals under the scores, the other scores in a table without, and what likelihood tells: at
 * most 80 columns.
 *
 * @param probe names the attributes, where the set has any
 */
export function setTable(set: EvaluatedSet, probe: CaptionProbe | undefined): string {
  const { name, numImages, rows, domains, likelihood, diagnostics } = set;
  const attributes = rows.some((row) => row.attributes !== null) ? (probe?.columns ?? []) : [];
  const attributeColumns = attributes.flatMap(({ shortLabel, attribute }): Column[] =>
    shortLabel === undefined ? [] : [[shortLabel, attribute]],
  );
  const hasAttributes = attributeColumns.length > 0;
  const columns: readonly Column[] = [
    ['NLL', 'captionNll'],
    ['CIDEr-D', 'ciderD'],
    ...(hasAttributes ? attributeColumns : NGRAM_COLUMNS),
  ];
  const others: readonly Column[] = [['BLEU-1', 'bleu1'], ...(hasAttributes ? NGRAM_COLUMNS : [])];
  const shown = [
    ...rows.map((row) => ({ label: row.name, row })),
    ...domains.map(({ domain, numImages: count, row }) => ({ label: `${domain} (${count})`, row })),
  ];
  const cells = shown.flatMap(({ label, row }) => [
    [label, ...columns.map(([, score]) => show(scoresByName(row)[score]))],
    ['', ...columns.map(([, score]) => showInterval(row.intervals[score]))],
  ]);
  const leftOut = leftOutNote(set);
  const warnings = [...(leftOut === undefined ? [] : [leftOut]), ...diagnostics.warnings]
    .flatMap((warning) => wrapText(`warning: ${warning}`, COLUMNS))
    .map((line) => `${line}\n`)
    .join('');
  const scores = renderTable([`${name} (${numImages})`, ...columns.map(([label]) => label)], cells);
  const further = renderTable(
    [`${name} (${numImages})`, 'perplexity', ...others.map(([label]) => label)],
    shown.map(({ label, row }) => [
      label,
      formatPerplexity(row.captionNll),
      ...others.map(([, score]) => show(scoresByName(row)[score])),
    ]),
  );
  return `${scores}\n\n${further}\n\n${likelihoodTable(likelihood, probe)}\n${warnings}`;
}

function likelihoodTable(
  { forcedChoice, retrieval, relationChoice }: EvaluatedSet['likelihood'],
  probe: CaptionProbe | undefined,
): string {
  const cell = ({ mean, low, high }: Interval & { mean: number }): string =>
    `${show(mean)} ${showInterval({ low, high })}`;
  const recalls: readonly [string, Recall][] = retrieval
    ? [
        ['recall, text → image', retrieval.textToImage],
        ['recall, image → text, raw NLL', retrieval.imageToText],
        ['recall, image → text, PMI', retrieval.imageToTextPmi],
      ]
    : [];
  const pool = retrieval ? `pool of ${retrieval.poolSize}` : '';
  return [
    `own image more likely than another: ${cell(forcedChoice.accuracy)} (chance 0.500)`,
    `image gain: ${cell(forcedChoice.imageGain)} nats/token`,
    ...(probe && relationChoice
      ? [
          `${probe.choice.labels[0]}: ${cell(relationChoice.all)} (chance 0.500)`,
          ...(relationChoice.disagree ? [`  ${probe.choice.labels[1]}: ${cell(relationChoice.disagree)}`] : []),
        ]
      : []),
    ...(retrieval
      ? [
          renderTable(
            [`by likelihood, ${pool}`, ...RECALL_RANKS.map((k) => `@${k}`)],
            [
              ...recalls.map(([label, recall]) => [label, ...recall.map(cell)]),
              ['chance', ...RECALL_RANKS.map((k) => show(Math.min(1, k / retrieval.poolSize)))],
            ],
          ),
        ]
      : []),
  ].join('\n');
}

function show(value: number | null | undefined): string {
  return value == null ? '–' : value.toFixed(3);
}

/** `0.47–0.52`, at most nine characters. */
function showInterval(interval: Interval | undefined): string {
  return interval === undefined ? '' : `${short(interval.low)}–${short(interval.high)}`;
}

function short(value: number): string {
  return Number(value.toFixed(2)) >= 10 ? value.toFixed(1) : value.toFixed(2);
}
