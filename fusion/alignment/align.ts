import { join, resolve } from 'node:path';
import type { CaptionProbe } from '#captions/metrics';
import { ConfigError, RunError } from '#src/errors';
import { findCheckpoint, type RunOptions, readCheckpoint, runTraining, type TrainingResult } from '#src/training';
import { type CaptionPairs, openCaptionPairs } from '../captionPairs.js';
import { type JointModel, loadJointModel } from '../jointModel.js';
import { backboneHashes, MERGE_REPORT } from '../merge.js';
import { choiceShares, createChoiceProbe, openProbe } from '../probeChoice.js';
import { createTokenWeights } from '../tokenWeights.js';
import type { AlignExperiment } from './alignConfig.js';
import { alignTask, openStates } from './alignTask.js';
import { type AlignObjective, checkObjectives, createObjectives, type StatesOf } from './objectives/index.js';
import { countParameters, setTrainable } from './trainableParameters.js';

export interface AlignOptions extends RunOptions {
  /** Reads the ground truth that `data.validation.scenes` names. */
  readonly probe?: CaptionProbe;
}

export interface AlignResult extends TrainingResult {
  readonly trainableParameters: number;
  readonly frozenParameters: number;
  /** Backbone tensors with the same SHA-256 in the merged model and in the aligned one, of all. */
  readonly backbonesKept: { readonly kept: number; readonly total: number } | null;
}

/** Trains what joins two frozen backbones, and proves by hash that they stayed as they were. */
export async function align(experiment: AlignExperiment, options: AlignOptions): Promise<AlignResult> {
  const { data, seed, training } = experiment;
  const { batchSize, gradientAccumulation } = training;
  const { root, cacheDir, output } = options;
  const merged = findCheckpoint(resolve(root, experiment.model));
  const model = loadJointModel(merged);
  const opened: CaptionPairs[] = [];
  const objectives: AlignObjective[] = [];
  try {
    setTrainable(model, experiment.train);
    checkObjectives(experiment, model);
    const seqLen = captionLength(model, data.seqLen);
    const counts = countParameters(model);
    output.line(counts.table);
    const weights = createTokenWeights(experiment.tokenWeights);
    const open = async (source: AlignExperiment['data']['train'], maxPairs?: number): Promise<CaptionPairs> => {
      const places = { seqLen, cacheDir, root, maxPairs, note: (line: string) => output.line(line) };
      const pairs = await openCaptionPairs(source, model.config.vision, model.tokenizer, weights, places);
      opened.push(pairs);
      return pairs;
    };
    const train = await open(data.train, data.maxPairs);
    const validation = await open(data.validation);
    output.line(
      `${train.numPairs} pairs of ${train.imageIds.length} images, ${validation.numPairs} of ${validation.imageIds.length} for validation`,
    );
    const visionMoves = experiment.train === 'all';
    const context = { model, train, validation, batchSize, gradientAccumulation, seed, visionMoves, root, cacheDir };
    objectives.push(...createObjectives(experiment, context));
    const measuring = openChoiceMetrics(experiment, options, model, validation);
    const statesOf = await openStates(model, [train, validation], visionMoves);
    const result = await runTraining({
      task: alignTask({ model, objectives, statesOf, train, batchSize, seed, measure: () => measuring(statesOf) }),
      config: training,
      seed,
      runDir: resolve(options.runDir),
      label: experiment.name,
      model: { kind: 'fusion', config: model.config },
      // The merge report describes the merged model, not this one.
      assets: new Map([...readCheckpoint(merged).assets].filter(([name]) => name !== MERGE_REPORT)),
      resume: options.resume,
      output,
    });
    return {
      ...result,
      trainableParameters: counts.trainable,
      frozenParameters: counts.frozen,
      backbonesKept: visionMoves ? null : compareBackbones(merged, options.runDir),
    };
  } finally {
    for (const pairs of opened) pairs.close();
    for (const objective of objectives) objective.dispose();
    model.dispose();
  }
}

/**
 * The longest caption. Rotary positions have an angle for every position, so a longer one would run; but the frozen language
 * model was not trained on them, and evaluation, which goes by its seqLen, would refuse such captions.
 */
function captionLength({ config }: JointModel, seqLen: number | undefined): number {
  const trained = config.language.backbone.seqLen;
  if (seqLen !== undefined && seqLen > trained) {
    throw new ConfigError(
      `data.seqLen: expected at most ${trained}, the seqLen that the language model was trained with, got ${seqLen}`,
    );
  }
  return seqLen ?? trained;
}

/** The forced choice of the probe on the validation pairs, as metrics; none without ground truth. */
function openChoiceMetrics(
  { data, training }: AlignExperiment,
  options: AlignOptions,
  model: JointModel,
  validation: CaptionPairs,
): (statesOf: StatesOf) => Promise<Record<string, number>> {
  const { scenes } = data.validation;
  if (scenes === undefined) return async () => ({});
  const { probe, images } = openProbe(options.probe, resolve(options.root, scenes), validation.imageIds);
  const { name, withoutShortcutName } = probe.choice;
  const choice = createChoiceProbe(model, validation, probe.choice, images);
  if ('lacking' in choice) {
    throw new ConfigError(`data.validation.scenes: has no effect: ${choice.lacking}; remove it`);
  }
  return async (statesOf) => {
    const choices = await choice.choose((positions) => statesOf(validation, positions), training.batchSize);
    const { all, withoutShortcut } = choiceShares(choices);
    return {
      ...(all !== null && { [`validation/${name}`]: all }),
      ...(withoutShortcut !== null && { [`validation/${withoutShortcutName}`]: withoutShortcut }),
    };
  };
}

/** @throws UserError when a backbone tensor changed */
function compareBackbones(merged: string, runDir: string): { kept: number; total: number } {
  const before = backboneHashes(merged);
  const after = backboneHashes(findCheckpoint(runDir));
  const kept = [...before].filter(([name, hash]) => after.get(name) === hash).length;
  if (kept !== before.size || after.size !== before.size) {
    throw new RunError(
      `${join(runDir, 'checkpoints')}: ${before.size - kept} of ${before.size} backbone tensors changed in alignment; this is a bug`,
    );
  }
  return { kept, total: before.size };
}
