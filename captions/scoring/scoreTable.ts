import { renderTable, wrapText } from '#src/cli';
import type { ReportedMetric, ScoreReport } from './scoreReport.js';

/** Display names of metrics. */
export const METRIC_LABELS: Readonly<Record<ReportedMetric, string>> = {
  bleu1: 'BLEU-1',
  bleu2: 'BLEU-2',
  bleu3: 'BLEU-3',
  bleu4: 'BLEU-4',
  rougeL: 'ROUGE-L',
  ciderD: 'CIDEr-D',
  meteorExactStem: 'METEOR-like',
  meteor: 'METEOR 1.5',
  spice: 'SPICE',
};

const WHY_NOT: Partial<Record<ReportedMetric, string>> = {
  meteor: 'not computed (--meteor-jar)',
  spice: 'not computed (--spice-jar)',
};

/** A report as text of at most 80 columns: scores, diagnostics, and a line for each warning. */
export function scoreTable({ numImages, numReferences, scores, diagnostics }: ScoreReport): string {
  const rows = (Object.keys(METRIC_LABELS) as ReportedMetric[]).map((name) => {
    const reported = scores[name];
    if (reported === null) return [METRIC_LABELS[name], WHY_NOT[name] ?? '–', ''];
    const { score, low, high } = reported;
    const interval = low === undefined || high === undefined ? '–' : `${low.toFixed(4)} to ${high.toFixed(4)}`;
    return [METRIC_LABELS[name], score.toFixed(4), interval];
  });
  const { lengthRatio, meanLength, vocabularySize, distinct1, distinct2, novelShare, numEmpty, numDuplicates } =
    diagnostics;
  const count = (n: number): string => n.toLocaleString('en-US');
  const facts = [
    `${count(numImages)} images, ${count(numReferences)} references`,
    `${meanLength.toFixed(1)} words per caption, ${lengthRatio.toFixed(3)} of the reference length`,
    `${count(vocabularySize)} distinct words; distinct-1 ${distinct1.toFixed(4)}, distinct-2 ${distinct2.toFixed(4)}`,
    `${count(numDuplicates)} repeat an earlier caption, ${count(numEmpty)} are empty`,
    novelShare === undefined
      ? 'novelty: not computed (--train)'
      : `novelty: ${(100 * novelShare).toFixed(1)} % are not training captions`,
  ];
  return [
    renderTable(['metric', 'score', '95 % interval'], rows),
    'BLEU, ROUGE-L, METEOR in [0, 1]; CIDEr-D in [0, 10] (papers report it × 100).',
    '',
    ...facts,
    ...diagnostics.warnings.flatMap((warning) => ['', ...wrapText(`warning: ${warning}`, 80)]),
  ].join('\n');
}
