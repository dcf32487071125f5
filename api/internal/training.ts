import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { z } from 'zod';
import { EVALUATION, EvaluateExperiment, evaluate, writeEvaluation } from '#evaluation';
import { AlignExperiment, align } from '#fusion';
import { LanguageExperiment, trainLanguage } from '#language';
import { sceneProbe } from '#scenes';
import type { Output } from '#src/cli';
import { parseConfig } from '#src/config';
import { inResultFolder, inRunDirectory, isStartedWith } from '#src/training';
import { trainVision, VisionExperiment } from '#vision';
import type { EvaluationResult, Experiment, RunOptions, TrainingResult } from '../training.js';
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
async function trained<S extends z.ZodType<{ readonly seed: number }>>(
  kind: string,
  schema: S,
  experiment: Experiment,
  options: RunOptions,
  train: (experiment: z.output<S>, places: Places) => Promise<TrainingResult>,
): Promise<TrainingResult> {
  const config = parseConfig({ kind, name: kind, ...experiment }, schema, `${kind} experiment`);
  const places = placesOf(options);
  const engine = await currentEngine();
  const provenance = { command: `${kind} (API)`, config, seed: config.seed, engine };
  const { overwrite, extend, log } = options;
  const { steps, bestStep, bestValue, last } = await inRunDirectory(
    places.runDir,
    provenance,
    { resume: places.resume, overwrite, extend, schema, say: log },
    () => train(config, places),
  );
  return { steps, bestStep, bestValue, last };
}

export function trainVisionModel(experiment: Experiment, options: RunOptions): Promise<TrainingResult> {
  return trained('vision', VisionExperiment, experiment, options, trainVision);
}

export function trainLanguageModel(experiment: Experiment, options: RunOptions): Promise<TrainingResult> {
  return trained('language', LanguageExperiment, experiment, options, trainLanguage);
}

export function alignModel(experiment: Experiment, options: RunOptions): Promise<TrainingResult> {
  return trained('align', AlignExperiment, experiment, options, (config, places) =>
    align(config, { ...places, probe: sceneProbe }),
  );
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
