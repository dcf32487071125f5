import { figureTable, SIDE_TITLES, verdictLine } from './figureTable.js';
import { PROFILE_HEADERS, profileCells } from './kernelProfile.js';
import { PRECISION_TITLE, precisionSpeed, precisionTable } from './precisionCurves.js';
import type { BenchResults, Figure } from './results.js';
import { SIDE_NAMES } from './side.js';

/** A run as Markdown: what it was measured on and with, then each figure's table and targets. */
export function benchMarkdown(results: BenchResults, fileName: string): string {
  const { machine, versions, commit, threads, rounds, seed, date, skipped, figures, profiles } = results;
  const sides = SIDE_NAMES.flatMap((name) => {
    const parts = Object.entries(versions[name] ?? {}).map(([part, version]) => `${part} ${version}`);
    return parts.length === 0 ? [] : `- ${SIDE_TITLES[name]}: ${parts.join(', ')}`;
  });
  return [
    `${machine.cpu}, ${machine.cores} cores (${machine.instructions}), ${machine.memoryMiB} MiB, ${machine.system};`,
    `${threads} threads on every side, medians of ${rounds} rounds, seed ${seed}, commit ${commit}, ${date.slice(0, 10)}`,
    `(\`bench/results/${fileName}\` has every round).`,
    '',
    ...sides,
    ...skipped.map((line) => `- ${line}`),
    '',
    ...figures.flatMap(figureMarkdown),
    ...precisionMarkdown(results),
    ...Object.entries(profiles).flatMap(([name, profile]) => [
      `**Where our time goes: ${name}**`,
      '',
      ...tableMarkdown(PROFILE_HEADERS, profileCells(profile)),
      '',
    ]),
  ].join('\n');
}

function precisionMarkdown({ precision }: BenchResults): string[] {
  if (precision === undefined) return [];
  if ('skipped' in precision) return [precision.skipped, ''];
  const { headers, cells } = precisionTable(precision);
  return [`**${PRECISION_TITLE}**`, '', ...tableMarkdown(headers, cells), '', precisionSpeed(precision), ''];
}

function figureMarkdown(figure: Figure): string[] {
  const { headers, cells } = figureTable(figure);
  return [
    `**${figure.title}, ${figure.rows[0].unit}**`,
    '',
    ...tableMarkdown(headers, cells),
    '',
    ...figure.verdicts.map((verdict) => `- ${verdictLine(verdict)}`),
    ...(figure.verdicts.length > 0 ? [''] : []),
  ];
}

function tableMarkdown(headers: readonly string[], cells: readonly (readonly string[])[]): string[] {
  const row = (columns: readonly string[]): string => `| ${columns.join(' | ')} |`;
  return [row(headers), row(headers.map((_, column) => (column === 0 ? '---' : '--:'))), ...cells.map(row)];
}
