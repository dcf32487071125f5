import { join, resolve } from 'node:path';
import type { CaptionProbe } from '#captions/metrics';
import { ConfigError, RunError } from '#src/errors';
import {
  costBefore,
  findCheckpoint,
  observedCount,
  type RunOptions,
  runTraining,
  type TrainingResult,
} from '#src/training';
import { type CaptionPairs, openCaptionPairs } from '../captionPairs.js';
import { type JointModel, loadJointModel } from '../jointModel.js';
import { backboneHashes, MERGE_REPORT, mergedHashes, refuseChanged } from '../mergeReport.js';
import { trainsVisionLora } from '../methods/index.js';
import { choiceShares, createChoiceProbe, openProbe } from '../probeChoice.js';
import { createTokenWeights } from '../tokenWeights.js';
import type { AlignExperiment } from './alignConfig.js';
import { alignTask, openStates } from './alignTask.js';
import { checkInitBridges, initBridges } from './initBridges.js';
import { type AlignObjective, checkObjectives, createObjectives, type StatesOf } from './objectives/index.js';
import { observeAlignment } from './observeAlignment.js';
import { takeBridges } from './takeBridges.js';
import { countParameters, setTrainable } from './trainableParameters.js';

export interface AlignOptions extends RunOptions {
  /** Reads the ground truth that `data.validation.scenes` names. */
  readonly probe?: CaptionProbe;
}

export interface AlignResult extends TrainingResult {
  readonly trainableParameters: number;
  readonly frozenParameters: number;
  /** Backbone tensors with the same SHA-256 before the merge and in the aligned model, of all. */
  readonly backbonesKept: { readonly kept: number; readonly total: number } | null;
}

/** Trains what joins two frozen backbones, and proves by hash that they stayed as they were. */
export async function align(experiment: AlignExperiment, options: AlignOptions): Promise<AlignResult> {
  const { data, seed, training, bridgeDropout, selectBy = 'captionNll' } = experiment;
  const { batchSize, gradientAccumulation } = training;
  const { root, cacheDir, output } = options;
  const merged = findCheckpoint(resolve(root, experiment.model));
  const model = loadJointModel(merged);
  const originals = originalHashes(merged);
  const opened: CaptionPairs[] = [];
  const objectives: AlignObjective[] = [];
  try {
    setTrainable(model, experiment.train);
    const start = experiment.initFrom && takeBridges(model, experiment.initFrom, root);
    checkObjectives(experiment, model);
    checkRecompute(experiment, model);
    if (experiment.initBridges) checkInitBridges(model, experiment.initFrom);
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
    const backbonesMove = experiment.train === 'all';
    const visionMoves = backbonesMove || trainsVisionLora(model);
    const context = {
      ...{ model, train, validation, batchSize, gradientAccumulation },
      ...{ seed, visionMoves, bridgeDropout, selectBy, root, cacheDir },
    };
    objectives.push(...createObjectives(experiment, context));
    const measuring = openChoiceMetrics(experiment, options, model, validation);
    const statesOf = await openStates(model, [train, validation], visionMoves);
    if (experiment.initBridges) {
      const { groups, explained } = await initBridges(model, train, statesOf, { ...experiment.initBridges, batchSize });
      output.line(
        `${groups} bridge groups start from mean states of ${train.numPairs} pairs, whose variance they explain to ${Math.round(100 * explained)} %`,
      );
    }
    const result = await runTraining({
      task: alignTask({
        ...{ model, objectives, statesOf, train, batchSize, seed, selectBy, measure: measuring },
        observe: (isFirst) =>
          observeAlignment({ model, validation, statesOf, count: observedCount(training) }, isFirst),
      }),
      config: training,
      seed,
      runDir: resolve(options.runDir),
      label: experiment.name,
      settings: { kind: 'align', fusion: model.config.fusion, train: experiment.train },
      model: { kind: 'fusion', config: model.config },
      // The hashes in the merge report hold as long as the backbones stay as they are.
      assets: new Map([...model.assets].filter(([name]) => name !== MERGE_REPORT || !backbonesMove)),
      resume: options.resume,
      output,
      signal: options.signal,
      optimizerStart: start,
      costBefore: experiment.initFrom && costBefore(experiment.initFrom, root),
    });
    return {
      ...result,
      trainableParameters: counts.trainable,
      frozenParameters: counts.frozen,
      backbonesKept: backbonesMove ? null : compareBackbones(originals, options.runDir),
    };
  } finally {
    for (const pairs of opened) pairs.close();
    for (const objective of objectives) objective.dispose();
    model.dispose();
  }
}

/** Refuses `recompute` where no block would do it. @throws ConfigError */
function checkRecompute({ train, training }: AlignExperiment, model: JointModel): void {
  const { method } = model;
  if (training.recompute && method.contextsPrecedeText && train !== 'all' && !trainsVisionLora(model)) {
    throw new ConfigError(
      `training.recompute: has no effect with method '${method.name}': text reads the image through the caches of its blocks, which keep what they compute; leave it out`,
    );
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

/**
 * SHA-256 of the backbone tensors as they were before the merge; those of the model itself where it has no merge report.
 *
 * @throws UserError when the model's tensors are not those that were merged
 */
function originalHashes(merged: string): ReadonlyMap<string, string> {
  const present = backboneHashes(merged);
  const original = mergedHashes(merged);
  if (original) refuseChanged(merged, present, original);
  return original ?? present;
}

/** @throws RunError when a backbone tensor changed */
function compareBackbones(before: ReadonlyMap<string, string>, runDir: string): { kept: number; total: number } {
  const after = backboneHashes(findCheckpoint(runDir));
  const kept = [...before].filter(([name, hash]) => after.get(name) === hash).length;
  if (kept !== before.size || after.size !== before.size) {
    throw new RunError(
      `${join(runDir, 'checkpoints')}: ${before.size - kept} of ${before.size} backbone tensors are not those that were merged; move ${runDir} away and align again`,
    );
  }
  return { kept, total: before.size };
}
