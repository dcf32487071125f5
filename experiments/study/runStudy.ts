import { existsSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import type { Evaluation } from '#evaluation';
import type { MergeReport } from '#fusion';
import { MERGE_REPORT } from '#fusion';
import type { Output } from '#src/cli';
import { readJson, writeJsonAtomic } from '#src/storage';
import { PROVENANCE, type RunProvenance } from '#src/training';
import { startChild } from '../childStage.js';
import { requirePrecisions } from '../engineOption.js';
import { parseExperimentOf } from '../parseExperiment.js';
import { readRecords } from './keptRecords.js';
import { stageFiles } from './stageFiles.js';
import { type StudyCell, studyCells } from './studyCells.js';
import type { StudyExperiment } from './studyConfig.js';
import {
  cellSettings,
  isMadeWith,
  readRecord,
  recordPath,
  type StudyRecord,
  type StudySettings,
  studySet,
} from './studyRecord.js';

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

const BACKBONES = ['vision', 'language'] as const;

/**
 * Makes the data, trains both backbones once per seed, then merges, aligns and evaluates every cell, as many at a time as
 * there are cores, each on one thread. What is done is kept: a study that was broken off goes on, elsewhere too where its
 * records are given.
 */
export async function runStudy(study: StudyExperiment, options: StudyOptions) {
  const { path, outDir, engineWords, threads: atOnce = availableParallelism(), output } = options;
  const started = performance.now();
  const { files, precisions, digest } = stageFiles(study, path);
  const recorded = options.records === undefined ? [] : readRecords(options.records);
  // A folder of another study is refused before anything runs.
  const cells = studyCells(study).map((cell) => {
    const settings = cellSettings(study, cell, digest);
    const isKept = recorded.some((record) => isMadeWith(record, settings));
    return { cell, settings, done: readRecord(outDir, cell, settings) ? 'there already' : isKept ? 'recorded' : '' };
  });
  const numRecorded = cells.filter(({ done }) => done === 'recorded').length;
  if (options.records !== undefined)
    output.line(`${numRecorded} of ${cells.length} cells are recorded in ${options.records}`);
  await requirePrecisions(precisions);
  const failure = new AbortController();
  const failed: unknown[] = [];
  const places = ['--root', outDir];
  const compute = [...places, '--cache-dir', join(outDir, 'cache'), ...engineWords];
  const child = (label: string, words: readonly string[], threads = 1) =>
    startChild(label, words, quiet, failure.signal, threads).finished.catch((error: unknown) => {
      failed.push(error);
      failure.abort();
      // The others end because they are told to: what is wrong is in the first one.
      throw failed[0];
    });

  if (files.scenes) await child('data', ['scenes', files.scenes, ...places], availableParallelism());
  const { files: sources, vocabSize, minFrequency, name } = parseExperimentOf(files.tokenizer, ['tokenizer']);
  const tokenizerPath = join(outDir, name, 'tokenizer.json');
  if (!existsSync(tokenizerPath)) {
    const inputs = sources.map((source) => resolve(outDir, source));
    const settings = ['--vocab-size', String(vocabSize), '--min-frequency', String(minFrequency)];
    await child('tokenizer', ['tokenizer', 'train', ...inputs, ...settings, '--out', tokenizerPath]);
  }
  output.line('data and tokenizer are there');

  const backbones = study.seeds.flatMap((seed) =>
    BACKBONES.flatMap((kind) =>
      (['trained', 'random'] as const)
        .filter((state) => cells.some(({ cell, done }) => !done && cell.seed === seed && cell.row[kind] === state))
        .map((state) => ({ kind, state, seed })),
    ),
  );
  await eachAtOnce(atOnce, backbones, async ({ kind, state, seed }) => {
    const label = `seed ${seed} ${kind} ${state}`;
    const overrides = sets([`seed=${seed}`, ...(state === 'random' ? ['training.steps=0'] : [])]);
    const words = ['train', files[kind], ...compute, ...overrides, '--out', join(outDir, backbone(seed, kind, state))];
    const { process } = await child(label, [...words, '--resume']);
    output.line(`${label}: ${process.seconds.toFixed(0)} s`);
  });

  let ended = 0;
  await eachAtOnce(atOnce, cells, async ({ cell, settings, done }) => {
    const { row, seed, pairs } = cell;
    const label = `seed ${seed} ${row.name}${pairs === null ? '' : `, ${pairs} pairs`}`;
    if (!done) await runCell(cell, settings, label);
    ended++;
    output.line(`${ended}/${cells.length} ${label}${done && `: ${done}`}`);
  });
  const seconds = (performance.now() - started) / 1000;
  output.line(`${cells.length - numRecorded} cells in ${outDir}, ${(seconds / 60).toFixed(1)} minutes`);
  return { outDir, cells: cells.length, seconds };

  async function runCell(cell: StudyCell, settings: StudySettings, label: string): Promise<void> {
    const { row, seed, pairs, folder } = cell;
    const cellStarted = performance.now();
    const merged = join(folder, 'merged');
    // Merging refuses a folder that is there; one without its report is the remains of a killed process.
    if (!existsSync(join(outDir, merged, MERGE_REPORT))) {
      rmSync(join(outDir, merged), { recursive: true, force: true });
      const from = BACKBONES.map((kind) => `${kind}=${backbone(seed, kind, row[kind])}`);
      const overrides = sets([`seed=${seed}`, ...from, ...row.merge]);
      await child(label, ['merge', files.merge, ...places, ...overrides, '--out', join(outDir, merged)]);
    }
    let trainableParameters = 0;
    let model = merged;
    if (row.align !== false) {
      model = join(folder, 'align');
      const overrides = sets([`seed=${seed}`, `model=${merged}`, `data.maxPairs=${pairs}`, ...row.align]);
      const words = ['align', files.align, ...compute, ...overrides, '--out', join(outDir, model), '--resume'];
      trainableParameters = Number((await child(label, words)).trainableParameters);
    }
    const evaluationDir = join(folder, 'evaluation');
    const controls = settings.controls ? [] : study.withoutControls;
    const overrides = sets([`seed=${seed}`, `model=${model}`, ...controls]);
    await child(label, ['evaluate', files.evaluate, ...compute, ...overrides, '--out', join(outDir, evaluationDir)]);
    const { sets: evaluated } = readJson(join(outDir, evaluationDir, 'evaluation.json'), 'evaluation') as Evaluation;
    const { parameters } = readJson(join(outDir, merged, MERGE_REPORT), 'merge report') as MergeReport;
    const provenance = readJson(join(outDir, evaluationDir, PROVENANCE), 'provenance') as RunProvenance;
    const { engine, processor, commit } = provenance;
    const record: StudyRecord = {
      settings,
      trainableParameters,
      backboneParameters: parameters.vision + parameters.language,
      seconds: (performance.now() - cellStarted) / 1000,
      provenance: { engine: { name: engine.name, device: engine.device }, processor, commit },
      sets: evaluated.map(studySet),
    };
    writeJsonAtomic(recordPath(outDir, cell), record);
  }
}

/** Children's own lines would come from several at once; a failed one's last line is in its error. */
const quiet: Output = { line: () => undefined, interactive: false };

function sets(overrides: readonly string[]): string[] {
  return overrides.flatMap((override) => ['--set', override]);
}

function backbone(seed: number, kind: (typeof BACKBONES)[number], state: 'trained' | 'random'): string {
  return join(`seed-${seed}`, state === 'random' ? `${kind}-random` : kind);
}

/** Works through a list, `atOnce` items at a time; all have ended when it throws. */
async function eachAtOnce<T>(atOnce: number, items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const worker = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
      try {
        await work(item);
      } catch (error) {
        waiting.length = 0;
        throw error;
      }
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: atOnce }, worker));
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed) throw failed.reason;
}
