import { COLUMNS, renderTable } from '#src/cli';
import { printable } from '#src/errors';
import { formatFigure } from '#src/tracking';
import type { RunSummary } from '../reading/index.js';

const ABSENT = '–';

/**
 * Runs as a table of at most 80 columns: a line each, or two where the paths leave no room. Engine and commit are columns where
 * they differ between the runs, else a line below.
 */
export function runTable(summaries: readonly RunSummary[]): string {
  const shared = SHARED.map(({ header, text }) => {
    const texts = summaries.map(text);
    const isShared = new Set(texts.filter((each) => each !== ABSENT)).size <= 1;
    return { header, texts, isShared };
  });
  const columns = shared.filter(({ isShared }) => !isShared);
  const headers = [...FIGURES.map(({ header }) => header), ...columns.map(({ header }) => header)];
  const rows = summaries.map((summary, i) => [
    ...FIGURES.map(({ text }) => text(summary)),
    ...columns.map(({ texts }) => texts[i]),
  ]);
  const paths = summaries.map(({ path }) => printable(path));
  const widths = headers.map((header, c) => Math.max(header.length, ...rows.map((row) => row[c].length)));
  const room = COLUMNS - widths.reduce((sum, width) => sum + width + 2, 0);
  const longest = Math.max(4, ...paths.map((path) => path.length));
  const lines = longest <= room ? oneLineEach(headers, rows, paths) : twoLinesEach(headers, rows, paths);
  const below = shared
    .filter(({ isShared }) => isShared)
    .map(({ header, texts }) => `${header} ${texts.find((text) => text !== ABSENT) ?? ABSENT}`);
  return [...lines, ...(below.length > 0 ? ['', `all: ${below.join(', ')}`] : [])].join('\n');
}

function oneLineEach(headers: readonly string[], rows: readonly string[][], paths: readonly string[]): string[] {
  return renderTable(
    ['name', ...headers],
    rows.map((row, i) => [paths[i], ...row]),
  ).split('\n');
}

function twoLinesEach(headers: readonly string[], rows: readonly string[][], paths: readonly string[]): string[] {
  const [head, rule, ...figures] = renderTable(headers, rows).split('\n');
  const cut = (path: string): string => (path.length > COLUMNS ? `…${path.slice(1 - COLUMNS)}` : path);
  return [head, rule, ...paths.flatMap((path, i) => [cut(path), figures[i]])];
}

interface Column {
  readonly header: string;
  text(summary: RunSummary): string;
}

const figure = (value: number | null): string => (value === null ? ABSENT : formatFigure(value));

const FIGURES: readonly Column[] = [
  { header: 'kind', text: ({ kind }) => kind },
  { header: 'state', text: ({ state }) => state },
  {
    header: 'steps',
    text: ({ step, steps, state }) => {
      if (step === null) return ABSENT;
      return state === 'finished' || steps === null ? String(step) : `${step}/${steps}`;
    },
  },
  { header: 'best', text: ({ best }) => figure(best) },
  { header: 'last', text: ({ last }) => figure(last) },
  { header: 'time', text: ({ seconds }) => (seconds === null ? ABSENT : shortTime(seconds)) },
  { header: 'size', text: ({ bytes }) => (bytes === null ? ABSENT : shortSize(bytes)) },
];

const SHARED: readonly Column[] = [
  { header: 'engine', text: ({ engine }) => printable(engine ?? ABSENT).slice(0, 10) },
  { header: 'commit', text: ({ commit }) => printable(commit ?? ABSENT).slice(0, 7) },
];

/** In at most five columns: 42s, 9m42s, 2h03m, 3d05h. */
export function shortTime(seconds: number): string {
  const two = (n: number): string => String(n).padStart(2, '0');
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)}h${two(minutes % 60)}m`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)}d${two(hours % 24)}h`;
}

/** In at most five columns: 812B, 1.7M, 34G. */
export function shortSize(bytes: number): string {
  let [size, unit] = [bytes, 0];
  while (size >= 999.5 && unit < UNITS.length - 1) [size, unit] = [size / 1024, unit + 1];
  return `${unit > 0 && size < 9.95 ? size.toFixed(1) : Math.round(size)}${UNITS[unit]}`;
}

const UNITS = ['B', 'K', 'M', 'G', 'T'];
