import {
  ABSENT,
  formatCount,
  formatMetric,
  formatPerplexity,
  html,
  htmlTable,
  type SafeHtml,
  type TableCell,
} from '#src/tracking';
import type { ReportResults, ReportScore } from './reportData.js';

interface ScoreColumn {
  readonly key: string;
  readonly label: string;
  readonly note: string;
  /** Shares of one are drawn as bars too. */
  readonly share?: boolean;
  /** How a value is shown; three decimals unless given. */
  readonly format?: (value: number) => string;
}

const LIKELIHOOD_COLUMNS: readonly ScoreColumn[] = [
  { key: 'captionNll', label: 'caption NLL ↓', note: 'nats/token' },
  { key: 'captionNll', label: 'perplexity ↓', note: 'per token', format: formatPerplexity },
];
const CIDER_COLUMN: ScoreColumn = { key: 'ciderD', label: 'CIDEr-D', note: '0 to 10' };
const NGRAM_COLUMNS: readonly ScoreColumn[] = [
  { key: 'bleu4', label: 'BLEU-4', note: '0 to 1' },
  { key: 'meteorExactStem', label: 'METEOR-like', note: 'exact, stem' },
  { key: 'rougeL', label: 'ROUGE-L', note: '0 to 1' },
];

/** The tables of all test sets, each with the model's row emphasised above its controls. */
export function resultsTables(results: readonly ReportResults[]): SafeHtml {
  const footnotes = new Set(
    results.flatMap(({ attributes = [], rows }) =>
      attributes
        .filter(({ attribute }) => rows.some(({ scores }) => isPresent(scores[attribute])))
        .flatMap(({ footnote }) => footnote ?? []),
    ),
  );
  return html`${results.map(resultsTable)}${[...footnotes].map((footnote) => html`<p class="muted">${footnote}</p>`)}`;
}

function resultsTable({ testSet, numImages, note, attributes = [], rows }: ReportResults): SafeHtml {
  const known = attributes.map(({ attribute, label, note: unit }) => ({
    key: attribute,
    label,
    note: unit,
    share: true,
  }));
  const columns = [...LIKELIHOOD_COLUMNS, CIDER_COLUMN, ...known, ...NGRAM_COLUMNS].filter(({ key }) =>
    rows.some(({ scores }) => isPresent(scores[key])),
  );
  const table = htmlTable(
    [{ label: 'model or control' }, ...columns.map(({ label, note: unit }) => ({ label, note: unit, numeric: true }))],
    rows.map(({ name, note: under, kind, scores }) => ({
      cells: [{ content: name, note: under }, ...columns.map((column) => scoreCell(scores[column.key], column))],
      emphasised: kind === 'model',
    })),
  );
  const images = `${formatCount(numImages)} image${numImages === 1 ? '' : 's'}`;
  return html`<h3>${testSet} <small>${images}</small></h3>
${note !== undefined && html`<p class="muted">${note}</p>`}${table}
`;
}

function isPresent(score: ReportScore | undefined): score is Exclude<ReportScore, null> {
  return score !== undefined && score !== null;
}

function scoreCell(score: ReportScore | undefined, { share, format = formatMetric }: ScoreColumn): TableCell {
  if (!isPresent(score)) return { content: ABSENT };
  const mean = typeof score === 'number' ? score : score.mean;
  return {
    content: format(mean),
    note: typeof score === 'number' ? undefined : `${format(score.low)}–${format(score.high)}`,
    bar: share && Number.isFinite(mean) ? mean : undefined,
  };
}
