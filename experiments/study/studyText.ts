import type { CellProvenance, CellRecord, Study, StudyFigure } from './study.js';

/** What is written of a study: where its numbers come from, its table, its figures. */
export interface StudyText {
  /** In Markdown. */
  readonly text: string;
  /** The table in it. */
  readonly table: string;
  readonly figures: readonly StudyFigure[];
}

/** @param pathOf the path of a figure's file, from that of the text */
export function studyText<R extends CellRecord>(
  study: Pick<Study<R>, 'cells' | 'seeds' | 'centre' | 'timeSpent' | 'results'>,
  records: readonly R[],
  pathOf: (name: string) => string,
): StudyText {
  const made = (word: (provenance: CellProvenance) => string): string =>
    [...new Set(records.map(({ provenance }) => word(provenance)))].join('; ');
  const seeds = study.seeds.filter((seed) => records.some(({ settings }) => settings.seed === seed));
  const others = seeds.length < study.seeds.length ? ` of ${study.seeds.join(', ')}` : '';
  const { table, figures } = study.results(records);
  const text = [
    `${records.length} of ${study.cells.length} cells, ${seeds.length === 1 ? 'seed' : 'seeds'} ${seeds.join(', ')}${others}; ${study.centre} over seeds (lowest–highest). Engine ${made(({ engine }) => `${engine.name} (${engine.device})`)},`,
    `${made(({ processor }) => processor)}, commit ${made(({ commit }) => commit?.slice(0, 7) ?? 'unknown')}; ${study.timeSpent(records)}.`,
    '',
    table,
    ...figures.flatMap(({ name, title }) => [`![${title}](${pathOf(name)}.svg)`, '']),
  ].join('\n');
  return { text, table, figures };
}
