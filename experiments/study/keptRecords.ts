import { existsSync } from 'node:fs';
import { UserError } from '#src/errors';
import { parseJson, readText, textLines, writeFileAtomic } from '#src/storage';
import { isRecordOf, readRecord } from './cellRecord.js';
import type { CellRecord, Study } from './study.js';

/**
 * The records of a study's finished cells, in the order of its cells, kept in a file of one JSON record a line: those of a
 * run's folder, else those that the file has from earlier, whichever machine they come from. A record of other settings or of
 * other stage files than the study's own is no longer kept.
 *
 * @throws ConfigError when the run's folder has a record of other settings
 */
export function keepRecords<R extends CellRecord>(study: Pick<Study<R>, 'cells'>, outDir: string, path: string): R[] {
  const earlier = existsSync(path) ? readRecords(path) : [];
  const records = study.cells.flatMap(
    (cell) => readRecord(outDir, cell) ?? earlier.find((record): record is R => isRecordOf(record, cell)) ?? [],
  );
  if (records.length > 0) {
    writeFileAtomic(path, records.map((record) => `${JSON.stringify(record)}\n`).join(''));
  }
  return records;
}

/**
 * The records of a file that `keepRecords` wrote.
 *
 * @throws UserError naming the line that is none
 */
export function readRecords(path: string): CellRecord[] {
  return textLines(readText(path, 'study records')).flatMap((line, i) => {
    if (line === '') return [];
    const record = parseJson(Buffer.from(line), `${path}: line ${i + 1}`, 'study record') as Partial<CellRecord> | null;
    if (!record?.settings)
      throw new UserError(`${path}: line ${i + 1}: expected a record that \`npm run results\` kept`);
    return [record as CellRecord];
  });
}
