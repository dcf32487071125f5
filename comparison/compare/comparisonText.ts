import { comparisonTable } from '#captions/scoring';
import { renderTable } from '#src/cli';
import type { ConfigValue } from '#src/config';
import { printable } from '#src/errors';
import { formatFigure } from '#src/tracking';
import type { RunGroup } from './comparedRuns.js';
import { configDifferences } from './configDifferences.js';
import { finalNumbers } from './finalNumbers.js';
import type { SharedSet } from './sharedSets.js';

/** Columns of runs that fit beside names. */
const RUNS_A_TABLE = 5;

/** A group of runs as text of at most 80 columns: which they are, how they were configured, what they came to. */
export function groupText(group: RunGroup): string {
  const { kind, runs } = group;
  const which = runs.map(({ letter, summary }) => `${letter}  ${printable(summary.path)} (${summary.state})`);
  const differences = configDifferences(group).map(({ key, values }) => [printable(key), ...values.map(shownValue)]);
  const numbers = finalNumbers(group).map(({ set, name, values }) => [
    printable(set === undefined ? name : `${set}: ${name}`),
    ...values.map(shownNumber),
  ]);
  return [
    `${kind}:`,
    ...which,
    ...(runs.length < 2
      ? []
      : ['', differences.length === 0 ? 'the same configuration' : sideBySide('differs', group, differences)]),
    ...(numbers.length === 0 ? [] : ['', sideBySide('result', group, numbers)]),
  ].join('\n');
}

/** What the paired bootstrap says of a test set, as text. */
export function duelText({ name, duels }: SharedSet): string {
  return duels
    .map(({ a, b, comparison }) => {
      const table = comparisonTable(comparison);
      return `${printable(name)}: a is ${printable(a.summary.path)}, b is ${printable(b.summary.path)}\n${table}`;
    })
    .join('\n\n');
}

export function shownNumber(value: number | null): string {
  if (value === null) return '–';
  return Number.isInteger(value) && Math.abs(value) < 1e15 ? String(value) : formatFigure(value);
}

export function shownValue(value: ConfigValue | undefined): string {
  return value === undefined ? '–' : printable(String(value));
}

/** Rows of a value for each run, a few runs to a table. */
function sideBySide(header: string, { runs }: RunGroup, rows: readonly (readonly string[])[]): string {
  const tables: string[] = [];
  for (let first = 0; first < runs.length; first += RUNS_A_TABLE) {
    const shown = runs.slice(first, first + RUNS_A_TABLE);
    tables.push(
      renderTable(
        [header, ...shown.map(({ letter }) => letter)],
        rows.map(([name, ...values]) => [name, ...values.slice(first, first + RUNS_A_TABLE)]),
      ),
    );
  }
  return tables.join('\n\n');
}
