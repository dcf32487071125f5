/**
 * @file Puts the tables of finished studies into experiments/RESULTS.md, between their markers, and their figures beside it:
 * `npm run results [-- study.yaml=runDir …]`; by default all studies that have a run in runs/. No number there is typed by hand.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readJson, replaceSection, writeFileAtomic } from '#src/storage';
import { packageRoot } from './packageRoot.js';
import { parseExperimentOf } from './parseExperiment.js';
import { studyCells } from './study/studyCells.js';
import type { StudyScore } from './study/studyConfig.js';
import { studyFigure } from './study/studyFigure.js';
import { recordPath, type StudyRecord } from './study/studyRecord.js';
import { studyLines, studyMarkdown } from './study/studyTable.js';

const STUDIES = [
  'experiments/fusion-study/study.yaml',
  'experiments/fusion-study/emoji.yaml',
  'experiments/relations/study.yaml',
];

const root = fileURLToPath(packageRoot);
const given = process.argv.slice(2).map((word) => word.split('=') as [string, string | undefined]);
for (const [path, runDir] of given.length > 0
  ? given
  : STUDIES.map((study) => [join(root, study), undefined] as const)) {
  const study = parseExperimentOf(path, ['study']);
  const outDir = runDir ?? join('runs', study.name);
  const cells = studyCells(study);
  const records = cells
    .map((cell) => recordPath(outDir, cell))
    .filter(existsSync)
    .map((file) => readJson(file, 'study record') as StudyRecord);
  if (records.length === 0) {
    console.log(`${study.name}: no finished cell in ${outDir}; left as it is`);
    continue;
  }
  const lines = studyLines(records);
  const provenance = readJson(join(outDir, `seed-${study.seeds[0]}`, 'vision', 'provenance.json'), 'provenance') as {
    engine: { name: string; device: string };
    processor: string;
    commit: string | null;
  };
  const figure = `figures/${study.name}.svg`;
  mkdirSync(join(root, 'experiments', 'figures'), { recursive: true });
  const [score, title, highest] = figureOf(study.scores);
  writeFileAtomic(join(root, 'experiments', figure), studyFigure(lines, score, title, highest).markup);
  const seconds = records.reduce((sum, record) => sum + record.seconds, 0);
  const text = [
    `${records.length} of ${cells.length} cells, seeds ${study.seeds.join(', ')}; mean over seeds (lowest–highest). Engine ${provenance.engine.name} (${provenance.engine.device}),`,
    `${provenance.processor}, commit ${provenance.commit?.slice(0, 7) ?? 'unknown'}; ${(seconds / 60).toFixed(0)} process minutes beside the backbones'.`,
    '',
    studyMarkdown(lines, study.scores),
    `![${title}](${figure})`,
    '',
  ].join('\n');
  replaceSection(join(root, 'experiments', 'RESULTS.md'), study.name, text);
  console.log(`${study.name}: ${records.length} of ${cells.length} cells in experiments/RESULTS.md`);
}

/** What a study's figure shows: score, title and the end of the scale. */
function figureOf(scores: readonly StudyScore[]): [score: StudyScore, title: string, highest: number] {
  if (scores.includes('relation choice'))
    return ['relation', 'Share of relations true in captions, mean and range over seeds', 1];
  if (scores.includes('objects'))
    return ['objects', 'Share of objects captioned right (colour, shape and size), mean and range over seeds', 1];
  return ['CIDEr-D', 'CIDEr-D, mean and range over seeds', 10];
}
