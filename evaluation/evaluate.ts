import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { CaptionProbe } from '#captions/metrics';
import {
  attachJointGroup,
  createTokenWeights,
  gateShares,
  type JointModel,
  loadJointModel,
  openCaptionPairs,
  openProbe,
  parseBackbonePrefix,
  takeOverJointGroups,
  usePrefix,
} from '#fusion';
import { Interrupted, type Output } from '#src/cli';
import { readGroupFile } from '#src/groups';
import type { RemoteParams } from '#src/remote';
import { readSealedJson, writeJsonAtomic, writeSealedJson } from '#src/storage';
import { parseSparsity } from '#src/tokenformer';
import { type CheckpointDigests, checkpointDigests } from '#src/training';
import type { VisionModelConfig } from '#vision';
import { randomVision } from './controls.js';
import type { EvaluateExperiment } from './evaluateConfig.js';
import { evaluateSet, type TestSet } from './evaluateSet.js';
import type { EvaluatedSet, Evaluation, SetTraces, Traces } from './evaluation.js';
import { setTable } from './evaluationTable.js';
import { createDrawTally } from './traces/index.js';
import { trainingControls } from './trainingControls.js';

/** Parameter tokens of each group that are listed with the words that draw on them. */
const TOKENS_PER_GROUP = 8;

/** The results without their traces, as a file. */
export const EVALUATION = 'evaluation.json';

export interface EvaluateOptions {
  readonly root: string;
  readonly cacheDir: string;
  readonly outDir: string;
  readonly output: Output;
  /** Reads the ground truth that the `scenes` of a set names. */
  readonly probe?: CaptionProbe;
  /** A process that holds groups of the model. */
  readonly remote?: RemoteParams;
}

/** The results, and what else the report shows. */
export interface EvaluationResult extends Evaluation {
  readonly traces: Traces;
  /** How the model sees an image. */
  readonly vision: VisionModelConfig;
  /** Names what was asked of the images of sets with ground truth. */
  readonly probe?: CaptionProbe;
}

/**
 * Captions every test set and scores the captions together with their controls (`ROWS`), by what was said and by how likely
 * the references are. Predictions are on disk before anything is scored; `writeEvaluation` writes the results.
 */
export async function evaluate(experiment: EvaluateExperiment, options: EvaluateOptions): Promise<EvaluationResult> {
  const { root, remote } = options;
  const { model: modelPath, upperBound } = evaluatedModels(experiment, root);
  let model = loadJointModel(modelPath, { mayLackGroups: remote !== undefined });
  let bound = upperBound === undefined ? undefined : loadJointModel(upperBound);
  const sparsity = experiment.sparse === undefined ? undefined : parseSparsity(experiment.sparse);
  for (const each of [model, bound]) each?.tree.useSparsity(sparsity);
  let random: JointModel | undefined;
  const opened: TestSet[] = [];
  try {
    for (const group of experiment.groups ?? []) model = await attachJointGroup(model, resolve(root, group));
    const prefix = experiment.prefix === undefined ? undefined : parseBackbonePrefix(experiment.prefix);
    if (prefix) {
      model = await usePrefix(model, prefix);
      bound = bound && (await usePrefix(bound, prefix));
    }
    if (remote) await takeOverJointGroups(model, remote);
    // All files of all sets are read before the first caption is written.
    for (const set of experiment.sets) opened.push(await openSet(model, set, options));
    const { train } = experiment;
    const training = train && (await trainingControls(model, train, experiment, { ...options, modelPath }));
    options.output.line(
      training
        ? `constant captions and nearest neighbours come from ${training.numPairs} training pairs`
        : "no 'train' captions given: without constant captions and nearest neighbours",
    );
    if (experiment.controls.randomVision) random = await randomVision(model, experiment.seed);
    const sets: EvaluatedSet[] = [];
    const traced: SetTraces[] = [];
    const tally = createDrawTally();
    for (const set of opened) {
      const found = await evaluateSet({ model, bound, random }, training, set, experiment, { ...options, tally });
      options.output.line(setTable(found.evaluated, options.probe));
      sets.push(found.evaluated);
      traced.push(found.traces);
    }
    const gates = await gateShares(model);
    const traces = { sets: traced, parameterTokens: tally.tokens(TOKENS_PER_GROUP) };
    return {
      ...{ decoding: experiment.decoding, sets, traces, vision: model.config.vision, probe: options.probe },
      ...(training && { trainingPairs: training.numPairs }),
      ...(Object.keys(gates).length > 0 && { gates }),
    };
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    throw new Interrupted(error.signal, ' before its scores were written', true);
  } finally {
    for (const { pairs } of opened) pairs.close();
    model.dispose();
    bound?.dispose();
    random?.dispose();
  }
}

/** The models that an evaluation reads, by key of the experiment. */
export function evaluatedModels({ model, upperBound }: EvaluateExperiment, root: string): Record<string, string> {
  const bound = upperBound === undefined ? undefined : resolve(root, upperBound);
  return { model: resolve(root, model), ...(bound !== undefined && existsSync(bound) && { upperBound: bound }) };
}

/** Digests of what an evaluation reads: the checkpoints of its models, and the groups to attach. @throws UserError when one is not there */
export function evaluationInputs(experiment: EvaluateExperiment, root: string): CheckpointDigests {
  const groups = (experiment.groups ?? []).map((path) => [`group ${path}`, readGroupFile(resolve(root, path)).sha256]);
  return { ...checkpointDigests(evaluatedModels(experiment, root)), ...Object.fromEntries(groups) };
}

/** Writes traces.json and then evaluation.json: where that is, the evaluation is whole. */
export function writeEvaluation(
  outDir: string,
  { decoding, trainingPairs, gates, sets, traces }: EvaluationResult,
): void {
  writeJsonAtomic(join(outDir, 'traces.json'), traces);
  writeSealedJson(join(outDir, EVALUATION), { decoding, trainingPairs, gates, sets });
}

/** Reads what `writeEvaluation` wrote in a folder. @throws UserError when it was changed since */
export function readEvaluation(outDir: string): Evaluation {
  return readSealedJson(join(outDir, EVALUATION), 'evaluation') as Evaluation;
}

async function openSet(
  { config, tokenizer }: JointModel,
  { name, scenes, ...source }: EvaluateExperiment['sets'][number],
  { root, cacheDir, probe }: EvaluateOptions,
): Promise<TestSet> {
  const { seqLen } = config.language.backbone;
  const places = { seqLen, cacheDir, root };
  const pairs = await openCaptionPairs(source, config.vision, tokenizer, createTokenWeights([]), places);
  try {
    return { name, pairs, truth: scenes ? openProbe(probe, resolve(root, scenes), pairs.imageIds) : undefined };
  } catch (error) {
    pairs.close();
    throw error;
  }
}
