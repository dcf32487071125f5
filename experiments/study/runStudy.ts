import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { readEvaluation } from '#evaluation';
import { readMergeReport } from '#fusion';
import type { Output } from '#src/cli';
import { lockFolder, writeSealedJson } from '#src/storage';
import { isProgressText } from '#src/tracking';
import { readProvenance } from '#src/training';
import type { StudyExperiment } from '../config/studyConfig.js';
import { requirePrecisions } from '../options/index.js';
import { runStages, type Stage, type StagePlaces } from '../stages/index.js';
import { readRecords } from './keptRecords.js';
import { stageFiles } from './stageFiles.js';
import { type StudyCell, studyCells } from './studyCells.js';
import { cellSettings, isMadeWith, readRecord, recordPath, type StudyRecord, studySet } from './studyRecord.js';
import { backboneStages, cellStages, dataStages } from './studyStages.js';

const PROGRESS_MS = 10_000;

export interface StudyOptions {
  /** Path of the study file. */
  readonly path: string;
  readonly outDir: string;
  readonly engineWords: readonly string[];
  /** Processes at a time, of one thread each; undefined for one a core. */
  readonly threads: number | undefined;
  /** A file of kept records: the cells that it has are not run again. */
  readonly records: string | undefined;
  readonly output: Output;
}

/**
 * Makes the data, trains both backbones once per seed, then merges, aligns and evaluates every cell, as many at a time as
 * there are cores, each on one thread. What is complete is kept: an interrupted study resumes, on another machine too
 * where its records are given.
 */
export async function runStudy(study: StudyExperiment, options: StudyOptions) {
  const { path, outDir, engineWords, threads = availableParallelism(), output } = options;
  const started = performance.now();
  const { files, precisions, digest } = stageFiles(study, path);
  const recorded = options.records === undefined ? [] : readRecords(options.records);
  // A folder of another study is refused before anything runs.
  const cells = studyCells(study).map((cell) => {
    const settings = cellSettings(study, cell, digest);
    const isKept = recorded.some((record) => isMadeWith(record, settings));
    const done = readRecord(outDir, cell, settings) ? 'there already' : isKept ? 'recorded' : '';
    return { cell, label: labelOf(cell), settings, done };
  });
  const numRecorded = cells.filter(({ done }) => done === 'recorded').length;
  if (options.records !== undefined)
    output.line(`${numRecorded} of ${cells.length} cells are recorded in ${options.records}`);
  await requirePrecisions(precisions);
  const places: StagePlaces = { root: outDir, cacheDir: join(outDir, 'cache'), engineWords };
  const open = cells.filter(({ done }) => done === '');
  const data = dataStages(files, places);
  const backbones = backboneStages(
    study,
    open.map(({ cell }) => cell),
    files,
    places,
  );
  const ofCells = open.map(({ cell, label, settings }) => {
    const stages = cellStages(study, cell, label, files, places);
    return { label, stages: [...stages, recordStage(cell, label, settings, stages, outDir)] };
  });

  let ended = 0;
  const tell = (label: string): void => output.line(`${++ended}/${cells.length} ${label}`);
  for (const { label, done } of cells) if (done !== '') tell(`${label}: ${done}`);
  const dataLeft = new Set(data.map(({ name }) => name));
  const lock = lockFolder(outDir);
  try {
    await runStages([...data, ...backbones, ...ofCells.flatMap(({ stages }) => stages)], {
      threads,
      threadsEach: 1,
      output: nowAndThen(output),
      onEnd: (stage, result) => {
        if (dataLeft.delete(stage.name) && dataLeft.size === 0) output.line('data and tokenizer are there');
        if (backbones.includes(stage) && result) output.line(`${stage.name}: ${result.process.seconds.toFixed(0)} s`);
        const cell = ofCells.find(({ stages }) => stages.at(-1) === stage);
        if (cell !== undefined) tell(cell.label);
      },
    });
  } finally {
    lock.release();
  }
  const seconds = (performance.now() - started) / 1000;
  output.line(`${cells.length - numRecorded} cells in ${outDir}, ${(seconds / 60).toFixed(1)} minutes`);
  return { outDir, cells: cells.length, seconds };
}

/** At most one line of progress in ten seconds, of any stage: the lines of many would mix. A failed stage's message is in its error. */
function nowAndThen(output: Output): Output {
  let shownAt = performance.now();
  return {
    interactive: false,
    line: (text = '') => {
      if (!isProgressText(text) || performance.now() - shownAt < PROGRESS_MS) return;
      shownAt = performance.now();
      output.line(text);
    },
  };
}

function labelOf({ row, seed, pairs }: StudyCell): string {
  return `seed ${seed} ${row.name}${pairs === null ? '' : `, ${pairs} pairs`}`;
}

/** Writes a cell's record, in this process, once its other stages have ended. */
function recordStage(
  cell: StudyCell,
  label: string,
  settings: StudyRecord['settings'],
  stages: readonly Stage[],
  outDir: string,
): Stage {
  const [merged, evaluated] = [stages[0].outDir, stages[stages.length - 1].outDir];
  const names = stages.map(({ name }) => name);
  return {
    name: `${label}: record`,
    needs: names,
    outDir: join(outDir, cell.folder),
    isComplete: () => existsSync(recordPath(outDir, cell)),
    run: async ({ resultOf }) => {
      const evaluation = readEvaluation(evaluated);
      const { parameters } = readMergeReport(merged);
      const { engine, processor, commit } = readProvenance(evaluated);
      const results = names.map(resultOf);
      const record: StudyRecord = {
        settings,
        trainableParameters: Number(results.find((result) => result?.trainableParameters)?.trainableParameters ?? 0),
        backboneParameters: parameters.vision + parameters.language,
        seconds: results.reduce((sum, result) => sum + (result?.process.seconds ?? 0), 0),
        provenance: { engine: { name: engine.name, device: engine.device }, processor, commit },
        sets: evaluation.sets.map(studySet),
      };
      writeSealedJson(recordPath(outDir, cell), record);
      return undefined;
    },
  };
}
