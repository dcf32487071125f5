/**
 * @file Keeps the records of studies' finished cells in experiments/records/, and puts their tables into experiments/RESULTS.md,
 * between their markers, and their figures beside it: `npm run results [-- study.yaml=runDir …]`; by default all studies, from
 * runs/. Without a run's folder its kept records are used. No number there is typed by hand.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { replaceSection, writeFileAtomic } from '#src/storage';
import { parseExperimentOf } from './config/parseExperiment.js';
import type { StudyScore } from './config/studyConfig.js';
import { packageRoot } from './stages/index.js';
import { keepRecords } from './study/keptRecords.js';
import { stageFiles } from './study/stageFiles.js';
import { studyCells } from './study/studyCells.js';
import { studyFigure } from './study/studyFigure.js';
import type { StudyRecord } from './study/studyRecord.js';
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
  const numCells = studyCells(study).length;
  const { digest } = stageFiles(study, path);
  const records = keepRecords(study, digest, outDir, join(root, 'experiments', 'records', `${study.name}.jsonl`));
  if (records.length === 0) {
    console.log(`${study.name}: no finished cell in ${outDir}, none kept; left as it is`);
    continue;
  }
  const lines = studyLines(records);
  const made = (word: (provenance: StudyRecord['provenance']) => string): string =>
    [...new Set(records.map(({ provenance }) => word(provenance)))].join('; ');
  const figure = `figures/${study.name}.svg`;
  const [score, title, highest] = figureOf(study.scores);
  writeFileAtomic(join(root, 'experiments', figure), studyFigure(lines, score, title, highest).markup);
  const seconds = records.reduce((sum, record) => sum + record.seconds, 0);
  const text = [
    `${records.length} of ${numCells} cells, seeds ${study.seeds.join(', ')}; mean over seeds (lowest–highest). Engine ${made(({ engine }) => `${engine.name} (${engine.device})`)},`,
    `${made(({ processor }) => processor)}, commit ${made(({ commit }) => commit?.slice(0, 7) ?? 'unknown')}; ${(seconds / 60).toFixed(0)} process minutes, not counting the backbones.`,
    '',
    studyMarkdown(lines, study.scores),
    `![${title}](${figure})`,
    '',
  ].join('\n');
  replaceSection(join(root, 'experiments', 'RESULTS.md'), study.name, text);
  console.log(`${study.name}: ${records.length} of ${numCells} cells in experiments/RESULTS.md`);
}

/** What a study's figure shows: score, title and the end of the scale. */
function figureOf(scores: readonly StudyScore[]): [score: StudyScore, title: string, highest: number] {
  if (scores.includes('relation choice'))
    return ['relation', 'Share of relations true in captions, mean and range over seeds', 1];
  if (scores.includes('objects'))
    return ['objects', 'Share of objects captioned right (colour, shape and size), mean and range over seeds', 1];
  return ['CIDEr-D', 'CIDEr-D, mean and range over seeds', 10];
}
