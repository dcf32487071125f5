import type { Interval } from '#fusion/metrics';
import { renderTable, wrapText } from '#src/cli';
import type { EvaluatedSet, EvaluationRow, ScoreName } from './evaluation.js';
import { RECALL_RANKS, type Recall } from './likelihood/index.js';

/** A test set's rows, 95 % intervals under the scores, and what likelihood tells: at most 80 columns. */
export function setTable({ name, numImages, rows, domains, likelihood, diagnostics }: EvaluatedSet): string {
  const hasScenes = rows.some(({ attributes }) => attributes !== null);
  const columns: readonly [label: string, score: ScoreName][] = [
    ['NLL', 'captionNll'],
    ['CIDEr-D', 'ciderD'],
    ...(hasScenes
      ? ([
          ['object', 'object'],
          ['relation', 'relation'],
          ['exact', 'exactScene'],
        ] as const)
      : ([
          ['BLEU-1', 'bleu1'],
          ['BLEU-4', 'bleu4'],
          ['ROUGE-L', 'rougeL'],
        ] as const)),
  ].map(([label, score]) => [label, score as ScoreName]);
  const shown = [
    ...rows.map((row) => ({ label: row.name, row })),
    ...domains.map(({ domain, numImages: count, row }) => ({ label: `${domain} (${count})`, row })),
  ];
  const cells = shown.flatMap(({ label, row }) => [
    [label, ...columns.map(([, score]) => show(scoreOf(row, score)))],
    ['', ...columns.map(([, score]) => showInterval(row.intervals[score]))],
  ]);
  const warnings = diagnostics.warnings
    .flatMap((warning) => wrapText(`warning: ${warning}`, 80))
    .map((line) => `${line}\n`)
    .join('');
  const scores = renderTable([`${name} (${numImages})`, ...columns.map(([label]) => label)], cells);
  return `${scores}\n\n${likelihoodTable(likelihood)}\n${warnings}`;
}

function likelihoodTable({ forcedChoice, retrieval }: EvaluatedSet['likelihood']): string {
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
    `own image likelier than another: ${cell(forcedChoice.accuracy)} (chance 0.500)`,
    `image gain: ${cell(forcedChoice.imageGain)} nats/token`,
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

function scoreOf(row: EvaluationRow, score: ScoreName): number | null | undefined {
  const { attributes, intervals: _, name: __, ...scores } = row;
  return { ...scores, ...attributes }[score];
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
