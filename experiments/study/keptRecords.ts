import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseJson, writeFileAtomic } from '#src/storage';
import { type StudyCell, studyCells } from './studyCells.js';
import type { StudyExperiment } from './studyConfig.js';
import { cellSettings, isMadeWith, readRecord, type StudyRecord } from './studyRecord.js';

/**
 * The records of a study's finished cells, in the order of its cells, kept in a file of one JSON record a line: those of a
 * run's folder, else those that the file has from earlier, whichever machine they come from. A record of other settings or of
 * other stage files than the study's own is no longer kept.
 *
 * @throws ConfigError when the run's folder has a record of other settings
 */
export function keepRecords(study: StudyExperiment, digest: string, outDir: string, path: string): StudyRecord[] {
  const earlier = existsSync(path)
    ? readFileSync(path, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => parseJson(Buffer.from(line), path, 'study record') as StudyRecord)
    : [];
  const recordOf = (cell: StudyCell): StudyRecord | undefined => {
    const settings = cellSettings(study, cell, digest);
    return readRecord(outDir, cell, settings) ?? earlier.find((record) => isMadeWith(record, settings));
  };
  const records = studyCells(study)
    .map(recordOf)
    .filter((record) => record !== undefined);
  if (records.length > 0) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileAtomic(path, records.map((record) => `${JSON.stringify(record)}\n`).join(''));
  }
  return records;
}
