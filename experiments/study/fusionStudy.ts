import { readEvaluation } from '#evaluation';
import { readMergeReport } from '#fusion';
import type { StudyExperiment, StudyScore } from '../config/studyConfig.js';
import { cellProvenance } from './cellRecord.js';
import { fusionCells } from './fusionCells.js';
import { studyFigure } from './fusionFigure.js';
import { pairsFigures } from './fusionPairsFigure.js';
import { cellSettings, type StudyRecord, studySet } from './fusionRecord.js';
import { backboneStages, cellStages, dataStages } from './fusionStages.js';
import { type StudyLine, studyLines, studyMarkdown } from './fusionTable.js';
import { stageFiles } from './stageFiles.js';
import type { Study, StudyFigure } from './study.js';

/**
 * A study of ways of joining two backbones: the data and the tokenizer are made once, both backbones once per seed; then every
 * cell merges, aligns and evaluates.
 *
 * @param path of the study file
 */
export function fusionStudy(experiment: StudyExperiment, path: string): Study<StudyRecord> {
  const { files, precisions, digest } = stageFiles(experiment, path);
  const { name, seeds, scores } = experiment;
  return {
    name,
    seeds,
    centre: 'mean',
    precisions,
    cells: fusionCells(experiment).map((cell) => {
      const { row, seed, pairs, folder } = cell;
      const label = `seed ${seed} ${row.name}${pairs === null ? '' : `, ${pairs} pairs`}`;
      const settings = cellSettings(experiment, cell, digest);
      return {
        ...{ label, folder, settings },
        stages: (places) => cellStages(experiment, cell, label, files, places),
        record: (_, stages, resultOf) => {
          const [merged, evaluated] = [stages[0].outDir, stages[stages.length - 1].outDir];
          const { parameters } = readMergeReport(merged);
          const results = stages.map((stage) => resultOf(stage.name));
          return {
            settings,
            trainableParameters: Number(
              results.find((result) => result?.trainableParameters)?.trainableParameters ?? 0,
            ),
            backboneParameters: parameters.vision + parameters.language,
            seconds: results.reduce((sum, result) => sum + (result?.process.seconds ?? 0), 0),
            provenance: cellProvenance(evaluated),
            sets: readEvaluation(evaluated).sets.map(studySet),
          };
        },
      };
    }),
    sharedStages: (open, places) => {
      const folders = new Set(open.map(({ folder }) => folder));
      const cells = fusionCells(experiment).filter(({ folder }) => folders.has(folder));
      return [...dataStages(files, places), ...backboneStages(experiment, cells, files, places)];
    },
    timeSpent: (records) => {
      const seconds = records.reduce((sum, record) => sum + record.seconds, 0);
      return `${(seconds / 60).toFixed(0)} process minutes, not counting the backbones`;
    },
    results: (records) => {
      const lines = studyLines(records);
      const byPairs = pairsFigures(name, lines, scores);
      // With a row for each number of pairs, all rows in one figure would be too many.
      const figures = byPairs.length > 0 ? byPairs : [figureOfRows(name, lines, scores)];
      return { table: studyMarkdown(lines, scores), figures };
    },
  };
}

function figureOfRows(name: string, lines: readonly StudyLine[], scores: readonly StudyScore[]): StudyFigure {
  const [score, title, highest] = figureOf(scores);
  return { name, title, svg: studyFigure(lines, score, title, highest).markup };
}

/** What the figure shows: score, title and the end of the scale. */
function figureOf(scores: readonly StudyScore[]): [score: StudyScore, title: string, highest: number] {
  if (scores.includes('relation choice'))
    return ['relation', 'Share of relations true in captions, mean and range over seeds', 1];
  if (scores.includes('objects'))
    return ['objects', 'Share of objects captioned right (colour, shape and size), mean and range over seeds', 1];
  return ['CIDEr-D', 'CIDEr-D, mean and range over seeds', 10];
}
