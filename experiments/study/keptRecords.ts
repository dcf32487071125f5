import { existsSync } from 'node:fs';
import { UserError } from '#src/errors';
import { parseJson, readText, textLines, writeFileAtomic } from '#src/storage';
import type { StudyExperiment } from '../config/studyConfig.js';
import { type StudyCell, studyCells } from './studyCells.js';
import { cellSettings, isMadeWith, readRecord, type StudyRecord } from './studyRecord.js';

/**
 * The records of a study's finished cells, in the order of its cells, kept in a file of one JSON record a line: those of a
 * run's folder, else those that the file has from earlier, whichever machine they come from. A record of other settings or of
 * other stage files than the study's own is no longer kept.
 *
 * @throws ConfigError when the run's folder has a record of other settings
 */
export function keepRecords(study: StudyExperiment, digest: string, outDir: string, path: string): StudyRecord[] {
  const earlier = existsSync(path) ? readRecords(path) : [];
  const recordOf = (cell: StudyCell): StudyRecord | undefined => {
    const settings = cellSettings(study, cell, digest);
    return readRecord(outDir, cell, settings) ?? earlier.find((record) => isMadeWith(record, settings));
  };
  const records = studyCells(study)
    .map(recordOf)
    .filter((record) => record !== undefined);
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
export function readRecords(path: string): StudyRecord[] {
  return textLines(readText(path, 'study records')).flatMap((line, i) => {
    if (line === '') return [];
    const record = parseJson(
      Buffer.from(line),
      `${path}: line ${i + 1}`,
      'study record',
    ) as Partial<StudyRecord> | null;
    if (!record?.settings)
      throw new UserError(`${path}: line ${i + 1}: expected a record that \`npm run results\` kept`);
    return [record as StudyRecord];
  });
}
