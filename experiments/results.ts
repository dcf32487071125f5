/**
 * @file Keeps the records of studies' finished cells in experiments/records/, and puts their tables into experiments/RESULTS.md,
 * between their markers, and their figures beside it: `npm run results [-- study.yaml=runDir …]`; by default all studies, from
 * runs/. Without a run's folder its kept records are used. No number there is typed by hand.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { replaceSection, writeFileAtomic } from '#src/storage';
import { packageRoot } from './stages/index.js';
import { keepRecords } from './study/keptRecords.js';
import { openStudy } from './study/openStudy.js';
import { STUDIES } from './study/studies.js';
import { studyText } from './study/studyText.js';

const folder = join(fileURLToPath(packageRoot), 'experiments');
const given = process.argv.slice(2).map((word) => word.split('=') as [string, string | undefined]);
for (const [path, runDir] of given.length > 0
  ? given
  : STUDIES.map((study) => [join(folder, study), undefined] as const)) {
  const study = openStudy(path);
  const outDir = runDir ?? join('runs', study.name);
  const records = keepRecords(study, outDir, join(folder, 'records', `${study.name}.jsonl`));
  if (records.length === 0) {
    console.log(`${study.name}: no finished cell in ${outDir}, none kept; left as it is`);
    continue;
  }
  const { text, figures } = studyText(study, records, (name) => `figures/${name}`);
  for (const { name, svg } of figures) writeFileAtomic(join(folder, 'figures', `${name}.svg`), svg);
  replaceSection(join(folder, 'RESULTS.md'), study.name, text);
  console.log(`${study.name}: ${records.length} of ${study.cells.length} cells in experiments/RESULTS.md`);
}
