import { join, resolve } from 'node:path';
import { openTextDataset, summedTokenLoss, type TextDataset, totalWeight } from '#language';
import type { Scene } from '#scenes';
import { readScenes } from '#scenes';
import { renderTable } from '#src/cli';
import { readScalar, tf } from '#src/engine';
import { ConfigError, UserError } from '#src/errors';
import {
  findCheckpoint,
  type RunOptions,
  readCheckpoint,
  runTraining,
  type TrainingResult,
  type TrainingTask,
} from '#src/training';
import type { AlignExperiment } from './alignConfig.js';
import { captionLoss } from './captionLoss.js';
import { type CaptionBatch, type CaptionPairs, openCaptionPairs } from './captionPairs.js';
import { captionHidden } from './captionPass.js';
import { isFusionParameter } from './jointConfig.js';
import { type JointModel, loadJointModel } from './jointModel.js';
import { backboneHashes, MERGE_REPORT } from './merge.js';
import { imageStates, readImages } from './readImages.js';
import { isJoint } from './recipe.js';
import { createRelationProbe, relationShares } from './relationChoice.js';
import { cacheImageStates, pixelTensor, type StateCache } from './stateCache.js';
import { createTokenWeights } from './tokenWeights.js';

/** Batches of held-out text that tell what the text bridges do to text alone. */
const TEXT_BATCHES = 10;

export interface AlignResult extends TrainingResult {
  readonly trainableParameters: number;
  readonly frozenParameters: number;
  /** Backbone tensors with the same SHA-256 in the merged model and in the aligned one, of all. */
  readonly backbonesKept: { readonly kept: number; readonly total: number } | null;
}

/** Trains what joins two frozen backbones, and proves by hash that they stayed as they were. */
export async function align(experiment: AlignExperiment, options: RunOptions): Promise<AlignResult> {
  const { data, seed, training } = experiment;
  const merged = findCheckpoint(resolve(options.root, experiment.model));
  const model = loadJointModel(merged);
  let replay: TextDataset | undefined;
  const opened: CaptionPairs[] = [];
  try {
    setTrainable(model, experiment.train);
    const { method } = model.config.fusion;
    if (experiment.replay && !isJoint(method)) {
      throw new ConfigError(
        `replay: expected a model with text bridges, got method '${method}', which leaves text alone as it was; leave replay out`,
      );
    }
    const seqLen = captionLength(model, data.seqLen);
    const table = parameterTable(model);
    options.output.line(table.text);
    const weights = createTokenWeights(experiment.tokenWeights);
    const open = async (source: AlignExperiment['data']['train'], maxPairs?: number): Promise<CaptionPairs> => {
      const pairs = await openCaptionPairs(source, model.config.vision, model.tokenizer, weights, {
        seqLen,
        cacheDir: options.cacheDir,
        root: options.root,
        ...(maxPairs === undefined ? {} : { maxPairs }),
      });
      opened.push(pairs);
      return pairs;
    };
    const train = await open(data.train, data.maxPairs);
    const validation = await open(data.validation);
    options.output.line(
      `${train.numPairs} pairs of ${train.imageIds.length} images, ${validation.numPairs} of ${validation.imageIds.length} for validation`,
    );
    if (experiment.replay) {
      const { text } = experiment.replay;
      replay = openTextDataset(text, model.tokenizer, { cacheDir: options.cacheDir, baseDir: options.root, seed });
    }
    const scenes = data.validation.scenes
      ? readScenes(resolve(options.root, data.validation.scenes), validation.imageIds)
      : undefined;
    const task = await alignTask(model, experiment, train, validation, scenes, replay);
    const result = await runTraining({
      task,
      config: training,
      seed,
      runDir: resolve(options.runDir),
      label: experiment.name,
      model: { kind: 'fusion', config: model.config },
      // The merge report speaks of the merged model alone.
      assets: new Map([...readCheckpoint(merged).assets].filter(([name]) => name !== MERGE_REPORT)),
      resume: options.resume,
      output: options.output,
    });
    return {
      ...result,
      trainableParameters: table.trainable,
      frozenParameters: table.frozen,
      backbonesKept: experiment.train === 'all' ? null : compareBackbones(merged, options.runDir),
    };
  } finally {
    for (const pairs of opened) pairs.close();
    replay?.dispose();
    model.dispose();
  }
}

/**
 * The longest caption. Rotary positions have an angle for every position, so a longer one would run; but the frozen language
 * model has learned none of them, and evaluation, which knows its seqLen alone, would refuse such captions.
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

function setTrainable({ tree }: JointModel, train: AlignExperiment['train']): void {
  if (train === 'all') {
    tree.setTrainable(() => true);
    return;
  }
  const wanted = (name: string): boolean =>
    train === 'bridge' ? isFusionParameter(name) : train.some((part) => name.includes(part));
  const names = tree.names().filter(wanted);
  const backbone = names.find((name) => !isFusionParameter(name));
  if (backbone !== undefined) {
    throw new ConfigError(
      `train: '${backbone}' belongs to a backbone, which stays frozen; name bridge groups, or say 'train: all' for the upper bound`,
    );
  }
  if (names.length === 0) {
    throw new ConfigError(
      `train: expected bridge groups or gates in the model, got none; merge with bridge.tokens above 0`,
    );
  }
  tree.setTrainable(wanted);
}

/** Which parameters move and which do not, by component. */
function parameterTable({ tree }: JointModel): { text: string; trainable: number; frozen: number } {
  const componentOf = (name: string): string =>
    isFusionParameter(name)
      ? name.endsWith('Gate')
        ? 'gates'
        : (name.split('/').at(-2) as string)
      : `/${name}`.includes('/language/')
        ? 'language backbone'
        : 'vision backbone';
  const counts = new Map<string, { trainable: number; frozen: number }>();
  for (const name of tree.names()) {
    const entry = counts.get(componentOf(name)) ?? { trainable: 0, frozen: 0 };
    entry[tree.isTrainable(name) ? 'trainable' : 'frozen'] += tree.variable(name).size;
    counts.set(componentOf(name), entry);
  }
  const format = (n: number): string => n.toLocaleString('en-US');
  const rows = [...counts].map(([component, { trainable, frozen }]) => [component, format(trainable), format(frozen)]);
  const total = (key: 'trainable' | 'frozen'): number =>
    [...counts.values()].reduce((sum, entry) => sum + entry[key], 0);
  rows.push(['total', format(total('trainable')), format(total('frozen'))]);
  return {
    text: renderTable(['component', 'trainable', 'frozen'], rows),
    trainable: total('trainable'),
    frozen: total('frozen'),
  };
}

async function alignTask(
  model: JointModel,
  experiment: AlignExperiment,
  train: CaptionPairs,
  validation: CaptionPairs,
  scenes: readonly Scene[] | undefined,
  replay: TextDataset | undefined,
): Promise<TrainingTask> {
  const { training, seed, train: trained } = experiment;
  const visionMoves = trained === 'all';
  // Frozen vision states are constants of the images; they are computed once. A vision backbone in training is run each step.
  const caches = visionMoves
    ? undefined
    : {
        train: await cacheImageStates(model, train, 64),
        validation: await cacheImageStates(model, validation, 64),
      };
  const statesOf = (pairs: CaptionPairs, cache: StateCache | undefined, positions: Int32Array): tf.Tensor4D =>
    cache ? cache.states(positions) : imageStates(model, pixelTensor(model, pairs, positions));
  const relations =
    scenes &&
    createRelationProbe(model, validation, (positions) => statesOf(validation, caches?.validation, positions), scenes);
  if (relations && 'lacking' in relations)
    throw new ConfigError(`data.validation.scenes: for nothing, ${relations.lacking}; leave it out`);
  const lossOf = (
    pairs: CaptionPairs,
    cache: StateCache | undefined,
    batch: CaptionBatch,
    weights?: Float32Array,
  ): tf.Scalar => {
    const contexts = readImages(model, statesOf(pairs, cache, batch.images), { bridge: true }, visionMoves);
    return captionLoss(model, batch.text, contexts, weights);
  };
  const replayLoss = (index: number): tf.Scalar | undefined => {
    if (replay === undefined || experiment.replay === undefined) return undefined;
    const batch = replay.batchAt(index, experiment.replay.batchSize);
    const tokenIds = tf.tensor2d(batch.tokenIds, [batch.batch, batch.seqLen], 'int32');
    const { hidden } = captionHidden(model, tokenIds, {
      bridge: true,
      bridgeWithoutImage: true,
      lengths: batch.lengths,
    });
    const sum = summedTokenLoss(model.tree, hidden, batch.labels);
    return tf.mul(sum, experiment.replay.weight / batch.numTokens) as tf.Scalar;
  };
  return {
    parameters: model.tree,
    unit: 'pairs',
    loss: (index) => {
      const batch = train.batchAt(index, training.batchSize, seed);
      const weights = batch.weights(Math.floor(index / training.gradientAccumulation));
      const weight = totalWeight(batch.text.labels, weights);
      const captions = lossOf(train, caches?.train, batch, weights);
      const text = replayLoss(index);
      // The replay term is a mean; times the weight it stays one after the division.
      return { sum: text ? tf.add(captions, tf.mul(text, weight)) : captions, weight };
    },
    unitsIn: () => training.batchSize,
    describeBatch: (index) => {
      const { images } = train.batchAt(index, training.batchSize, seed);
      return `images ${[...images]
        .slice(0, 4)
        .map((position) => train.imageIds[position])
        .join(', ')}, …`;
    },
    evaluate: async () => {
      let sum = 0;
      let tokens = 0;
      for (const batch of validation.batches(training.batchSize)) {
        sum += await readScalar(tf.tidy(() => lossOf(validation, caches?.validation, batch)));
        tokens += batch.text.numTokens;
      }
      const shares = relations && relationShares(await relations.choose(training.batchSize));
      return {
        'validation/captionNll': sum / tokens,
        ...(shares?.all != null && { 'validation/relation': shares.all }),
        ...(shares?.disagree != null && { 'validation/relationDisagree': shares.disagree }),
        ...(await textMetrics(model, replay, training.batchSize)),
      };
    },
    selectBy: { metric: 'validation/captionNll', better: 'lower' },
  };
}

/**
 * What replay is for: the loss of held-out text with the text bridges on, beside the language backbone's own (bridges off).
 * Nothing without replay or without held-out text.
 */
async function textMetrics(
  model: JointModel,
  replay: TextDataset | undefined,
  batchSize: number,
): Promise<Record<string, number>> {
  if (replay?.heldOut === undefined) return {};
  const sums = { on: 0, off: 0 };
  let tokens = 0;
  for (const batch of replay.evaluationBatches(batchSize, TEXT_BATCHES)) {
    for (const key of ['on', 'off'] as const) {
      const loss = tf.tidy(() => {
        const tokenIds = tf.tensor2d(batch.tokenIds, [batch.batch, batch.seqLen], 'int32');
        const bridgeWithoutImage = key === 'on';
        const { hidden } = captionHidden(model, tokenIds, { bridge: true, bridgeWithoutImage, lengths: batch.lengths });
        return summedTokenLoss(model.tree, hidden, batch.labels);
      });
      sums[key] += await readScalar(loss);
    }
    tokens += batch.numTokens;
  }
  return { 'validation/textNllBridgeOn': sums.on / tokens, 'validation/textNllBridgeOff': sums.off / tokens };
}

function compareBackbones(merged: string, runDir: string): { kept: number; total: number } {
  const before = backboneHashes(merged);
  const after = backboneHashes(findCheckpoint(runDir));
  const kept = [...before].filter(([name, hash]) => after.get(name) === hash).length;
  if (kept !== before.size || after.size !== before.size) {
    throw new UserError(
      `${join(runDir, 'checkpoints')}: ${before.size - kept} of ${before.size} backbone tensors changed in alignment; this is a defect`,
    );
  }
  return { kept, total: before.size };
}
