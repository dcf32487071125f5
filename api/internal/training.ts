import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { z } from 'zod';
import { EVALUATION, EvaluateExperiment, evaluate, writeEvaluation } from '#evaluation';
import { AlignExperiment, align, TuneExperiment, tune } from '#fusion';
import { LanguageExperiment, trainLanguage } from '#language';
import { sceneProbe } from '#scenes';
import type { Output } from '#src/cli';
import { parseConfig } from '#src/config';
import { inResultFolder, inRunDirectory, isStartedWith } from '#src/training';
import { trainVision, VisionExperiment } from '#vision';
import type { EvaluationResult, Experiment, RunOptions, TrainingResult, TuneResult } from '../training.js';
import { currentEngine } from './currentEngine.js';

interface Places {
  readonly root: string;
  readonly cacheDir: string;
  readonly runDir: string;
  readonly resume: boolean;
  readonly output: Output;
  readonly signal: RunOptions['signal'];
}

function placesOf({ out, root = '.', cacheDir, resume = false, extend = false, log, signal }: RunOptions): Places {
  return {
    root: resolve(root),
    cacheDir: resolve(cacheDir ?? join('.tokenfuse', 'cache')),
    runDir: resolve(out),
    resume: resume || extend,
    output: { line: (text = '') => log?.(text), interactive: false },
    signal,
  };
}

/** Parses an experiment and trains it in a run directory. */
async function trained<S extends z.ZodType<{ readonly seed: number }>, Result>(
  kind: string,
  schema: S,
  experiment: Experiment,
  options: RunOptions,
  train: (experiment: z.output<S>, places: Places) => Promise<Result>,
): Promise<Result> {
  const config = parseConfig({ kind, name: kind, ...experiment }, schema, `${kind} experiment`);
  const places = placesOf(options);
  const engine = await currentEngine();
  const provenance = { command: `${kind} (API)`, config, seed: config.seed, engine };
  const { overwrite, extend, log } = options;
  const directory = { resume: places.resume, overwrite, extend, schema, say: log };
  return inRunDirectory(places.runDir, provenance, directory, () => train(config, places));
}

/** What the API tells of every run. */
function resultOf({ steps, bestStep, bestValue, last }: TrainingResult): TrainingResult {
  return { steps, bestStep, bestValue, last };
}

export async function trainVisionModel(experiment: Experiment, options: RunOptions): Promise<TrainingResult> {
  return resultOf(await trained('vision', VisionExperiment, experiment, options, trainVision));
}

export async function trainLanguageModel(experiment: Experiment, options: RunOptions): Promise<TrainingResult> {
  return resultOf(await trained('language', LanguageExperiment, experiment, options, trainLanguage));
}

export async function tuneModel(experiment: Experiment, options: RunOptions): Promise<TuneResult> {
  const result = await trained('tune', TuneExperiment, experiment, options, tune);
  const { group, trainableParameters } = result;
  return { ...resultOf(result), group, trainableParameters };
}

export async function alignModel(experiment: Experiment, options: RunOptions): Promise<TrainingResult> {
  const aligned = (config: AlignExperiment, places: Places) => align(config, { ...places, probe: sceneProbe });
  return resultOf(await trained('align', AlignExperiment, experiment, options, aligned));
}

export async function evaluateModel(experiment: Experiment, options: RunOptions): Promise<EvaluationResult> {
  const config = parseConfig({ kind: 'evaluate', name: 'evaluate', ...experiment }, EvaluateExperiment, 'evaluation');
  const { runDir: outDir, ...places } = placesOf(options);
  const engine = await currentEngine();
  const isUnfinished = (): boolean =>
    isStartedWith(outDir, config, EvaluateExperiment) && !existsSync(join(outDir, EVALUATION));
  const provenance = { command: 'evaluate (API)', config, seed: config.seed, engine };
  const folderOptions = { overwrite: options.overwrite, isOwn: isUnfinished, say: options.log };
  const { sets } = await inResultFolder(outDir, provenance, folderOptions, async () => {
    const result = await evaluate(config, { ...places, outDir, probe: sceneProbe });
    writeEvaluation(outDir, result);
    return result;
  });
  return { sets: sets.map(({ name, numImages, rows }) => ({ name, numImages, rows })) };
}
