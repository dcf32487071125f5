import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Output } from '#src/cli';
import { lockFolder, writeFileAtomic, writeSealedJson } from '#src/storage';
import { isProgressText } from '#src/tracking';
import { requirePrecisions } from '../options/index.js';
import { runStages, type Stage, type StagePlaces } from '../stages/index.js';
import { isRecordOf, readRecord, recordPath } from './cellRecord.js';
import { readRecords } from './keptRecords.js';
import type { Study, StudyCell } from './study.js';
import { studyText } from './studyText.js';

const PROGRESS_MS = 10_000;

export interface StudyOptions {
  readonly outDir: string;
  readonly engineWords: readonly string[];
  /** Processes at a time, of one thread each; undefined for one a core. */
  readonly threads: number | undefined;
  /** A file of kept records: the cells that it has are not run again. */
  readonly records: string | undefined;
  readonly output: Output;
}

/**
 * Runs the stages of a study's cells, those that several have in common once, as many at a time as there are cores, each on
 * one thread; then writes the table and the figures. What is complete is kept: an interrupted study resumes, on another
 * machine too where its records are given.
 */
export async function runStudy(study: Study, options: StudyOptions) {
  const { outDir, engineWords, threads = availableParallelism(), output } = options;
  const started = performance.now();
  const recorded = options.records === undefined ? [] : readRecords(options.records);
  // A folder of another study is refused before anything runs.
  const cells = study.cells.map((cell) => {
    const kept = recorded.find((record) => isRecordOf(record, cell));
    return { cell, kept, done: readRecord(outDir, cell) ? 'there already' : kept ? 'recorded' : '' };
  });
  const numRecorded = cells.filter(({ done }) => done === 'recorded').length;
  if (options.records !== undefined)
    output.line(`${numRecorded} of ${cells.length} cells are recorded in ${options.records}`);
  await requirePrecisions(study.precisions);
  const places: StagePlaces = { root: outDir, cacheDir: join(outDir, 'cache'), engineWords };
  const open = cells.filter(({ done }) => done === '').map(({ cell }) => cell);
  /** By name, in the order of the work. */
  const graph = new Map(study.sharedStages(open, places).map((stage) => [stage.name, stage]));
  const cellOf = new Map<Stage, StudyCell>();
  for (const cell of open) {
    const stages = cell.stages(places);
    for (const stage of stages) if (!graph.has(stage.name)) graph.set(stage.name, stage);
    const record = recordStage(cell, stages, outDir);
    graph.set(record.name, record);
    cellOf.set(record, cell);
  }

  let ended = 0;
  const tell = (label: string): void => output.line(`${++ended}/${cells.length} ${label}`);
  for (const { cell, done } of cells) if (done !== '') tell(`${cell.label}: ${done}`);
  const lock = lockFolder(outDir);
  try {
    await runStages([...graph.values()], {
      threads,
      threadsEach: 1,
      output: nowAndThen(output),
      onEnd: (stage, result) => {
        if (result) output.line(`${stage.name}: ${result.process.seconds.toFixed(0)} s`);
        const cell = cellOf.get(stage);
        if (cell !== undefined) tell(cell.label);
      },
    });
    const records = cells.flatMap(({ cell, kept }) => readRecord(outDir, cell) ?? kept ?? []);
    const { text, table, figures } = studyText(study, records, (figure) => figure);
    for (const { name, svg } of figures) writeFileAtomic(join(outDir, `${name}.svg`), svg);
    writeFileAtomic(join(outDir, 'results.md'), text);
    output.line(`\n${table}`);
  } finally {
    lock.release();
  }
  const seconds = (performance.now() - started) / 1000;
  output.line(`${cells.length - numRecorded} cells in ${outDir}, ${(seconds / 60).toFixed(1)} minutes`);
  output.line(`table and figures: ${join(outDir, 'results.md')}`);
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

/** Writes a cell's record, in this process, once its other stages have ended. */
function recordStage(cell: StudyCell, stages: readonly Stage[], outDir: string): Stage {
  return {
    name: `${cell.label}: record`,
    needs: stages.map(({ name }) => name),
    outDir: join(outDir, cell.folder),
    isComplete: () => existsSync(recordPath(outDir, cell)),
    run: async ({ resultOf }) => {
      writeSealedJson(recordPath(outDir, cell), cell.record(outDir, stages, resultOf));
      return undefined;
    },
  };
}
