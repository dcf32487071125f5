import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { readCocoCaptions, writePredictions } from '#fusion/captionData';
import { bestConstantCaption, type CaptionSet, scoreCaptions } from '#fusion/metrics';
import { type Scene, sceneAccuracy } from '#fusion/scenes';
import type { Output } from '#src/cli';
import { parseConfig } from '#src/config';
import { readScalar, tf } from '#src/engine';
import { UserError } from '#src/errors';
import { createRandom } from '#src/random';
import { readJson, writeJsonAtomic } from '#src/storage';
import { captionImages } from './captioner.js';
import { captionLoss } from './captionLoss.js';
import { type CaptionPairs, openCaptionPairs } from './captionPairs.js';
import type { EvaluateExperiment } from './evaluateConfig.js';
import {
  type AttributeAccuracy,
  type EvaluatedSet,
  type Evaluation,
  type EvaluationRow,
  ROWS,
  setTable,
} from './evaluation.js';
import { type JointModel, loadJointModel, readImages } from './jointModel.js';
import { cacheImageStates, type StateCache } from './stateCache.js';
import { createTokenWeights } from './tokenWeights.js';

export interface EvaluateOptions {
  readonly root: string;
  readonly cacheDir: string;
  readonly outDir: string;
  readonly output: Output;
}

/**
 * Captions every test set greedily, scores the captions, and scores beside them what the same model does with shuffled
 * images, without an image, and with its trained parameters off. Predictions are on disk before anything is scored.
 */
export async function evaluate(experiment: EvaluateExperiment, options: EvaluateOptions): Promise<Evaluation> {
  const { root } = options;
  const model = loadJointModel(resolve(root, experiment.model));
  const boundPath = experiment.upperBound === undefined ? undefined : resolve(root, experiment.upperBound);
  const bound = boundPath !== undefined && existsSync(boundPath) ? loadJointModel(boundPath) : undefined;
  const constant = experiment.constantFrom
    ? bestConstantCaption(readCocoCaptions(resolve(root, experiment.constantFrom)).captions).caption
    : undefined;
  const opened: TestSet[] = [];
  try {
    // All files of all sets are read before the first caption is written.
    for (const set of experiment.sets) opened.push(await openSet(model, set, options));
    const sets: EvaluatedSet[] = [];
    for (const set of opened) {
      const evaluated = await evaluateSet(model, bound, constant, set, experiment, options.outDir);
      options.output.line(setTable(evaluated));
      sets.push(evaluated);
    }
    const evaluation = { sets };
    writeJsonAtomic(join(options.outDir, 'evaluation.json'), evaluation);
    return evaluation;
  } finally {
    for (const { pairs } of opened) pairs.close();
    model.dispose();
    bound?.dispose();
  }
}

interface TestSet {
  readonly name: string;
  readonly pairs: CaptionPairs;
  readonly scenes: readonly Scene[] | undefined;
}

async function openSet(
  { config, tokenizer }: JointModel,
  { name, captions, images, scenes }: EvaluateExperiment['sets'][number],
  { root, cacheDir }: EvaluateOptions,
): Promise<TestSet> {
  const source = { captions: resolve(root, captions), ...(images ? { images: resolve(root, images) } : {}) };
  const { seqLen } = config.language.language;
  const places = { seqLen, cacheDir };
  const pairs = await openCaptionPairs(source, config.vision, tokenizer, createTokenWeights([]), places);
  try {
    return { name, pairs, scenes: scenes ? readScenes(resolve(root, scenes), pairs.imageIds) : undefined };
  } catch (error) {
    pairs.close();
    throw error;
  }
}

async function evaluateSet(
  model: JointModel,
  bound: JointModel | undefined,
  constant: string | undefined,
  { name: setName, pairs, scenes }: TestSet,
  { seed, maxTokens, batchSize }: EvaluateExperiment,
  outDir: string,
): Promise<EvaluatedSet> {
  const { imageIds } = pairs;
  const references: CaptionSet = new Map(imageIds.map((id, i) => [id, pairs.captions[i]]));
  const order = derangement(imageIds.length, seed, setName);
  const cache = await cacheImageStates(model, pairs, batchSize);

  const scored: { row: EvaluationRow; predictions: readonly string[]; exact: (boolean | null)[] }[] = [];
  const add = (name: string, predictions: readonly string[], captionNll: number | null): void => {
    const file = join(outDir, 'predictions', setName, `${name.replace(/[^a-z]+/g, '-').replace(/-$/, '')}.json`);
    writePredictions(
      file,
      imageIds.map((id, i) => ({ image_id: id, caption: predictions[i] })),
    );
    const scores = scoreCaptions(new Map(imageIds.map((id, i) => [id, predictions[i]])), references);
    const accuracy = scenes ? sceneAccuracy(predictions, scenes) : undefined;
    const { bleu1, bleu4, rougeL, ciderD } = scores;
    const { perImage, ...attributes } = accuracy ?? { perImage: undefined };
    scored.push({
      row: {
        name,
        captionNll,
        bleu1,
        bleu4,
        rougeL,
        ciderD,
        attributes: accuracy ? (attributes as AttributeAccuracy) : null,
      },
      predictions,
      exact: imageIds.map((_, i) => perImage?.[i].exactScene ?? null),
    });
  };
  const run = { pairs, batchSize, maxTokens };
  const own = await captionAll(model, cache, run, true);
  add(ROWS.model, own, await captionNll(model, cache, run, { bridge: true }));
  if (bound) {
    const boundCache = await cacheImageStates(bound, pairs, batchSize);
    add(
      ROWS.upperBound,
      await captionAll(bound, boundCache, run, true),
      await captionNll(bound, boundCache, run, { bridge: true }),
    );
  }
  // A caption is a function of its image, so the caption of a shuffled image is that image's caption.
  const shuffled = order.map((position) => own[position]);
  add(ROWS.shuffled, shuffled, await captionNll(model, cache, run, { bridge: true, order }));
  const [blind] = await captionImages(model, undefined, { maxTokens, bridge: true });
  add(
    ROWS.blind,
    imageIds.map(() => blind),
    await captionNll(model, undefined, run, { bridge: true }),
  );
  const untrained = await captionAll(model, cache, run, false);
  add(ROWS.untrained, untrained, await captionNll(model, cache, run, { bridge: false }));
  if (constant !== undefined)
    add(
      ROWS.constant,
      imageIds.map(() => constant),
      null,
    );

  return {
    name: setName,
    numImages: imageIds.length,
    rows: scored.map(({ row }) => row),
    samples: imageIds.map((imageId, i) => ({
      imageId,
      imagePath: pairs.imagePaths[i],
      references: pairs.captions[i],
      generated: own[i],
      exact: scored[0].exact[i],
    })),
  };
}

interface EvaluationRun {
  readonly pairs: CaptionPairs;
  readonly batchSize: number;
  readonly maxTokens: number;
}

async function captionAll(
  model: JointModel,
  cache: StateCache,
  run: EvaluationRun,
  bridge: boolean,
): Promise<string[]> {
  const captions: string[] = [];
  const count = run.pairs.imageIds.length;
  for (let first = 0; first < count; first += run.batchSize) {
    const states = cache.states(Array.from({ length: Math.min(run.batchSize, count - first) }, (_, i) => first + i));
    captions.push(...(await captionImages(model, states, { maxTokens: run.maxTokens, bridge })));
    states.dispose();
  }
  return captions;
}

/**
 * Mean −log p of the reference captions' tokens, in nats per token.
 *
 * @param cache undefined: without an image
 * @param order reads image order[i] for the captions of image i
 */
async function captionNll(
  model: JointModel,
  cache: StateCache | undefined,
  { pairs, batchSize }: EvaluationRun,
  { bridge, order }: { bridge: boolean; order?: readonly number[] },
): Promise<number> {
  let sum = 0;
  let tokens = 0;
  for (const batch of pairs.batches(batchSize)) {
    const images = order ? batch.images.map((position) => order[position]) : batch.images;
    const loss = tf.tidy(() => {
      const contexts = cache ? readImages(model, cache.states(images), { bridge }) : undefined;
      return captionLoss(model, batch.text, contexts, undefined, bridge);
    });
    sum += await readScalar(loss);
    tokens += batch.text.numTokens;
  }
  return sum / tokens;
}

/** A permutation without fixed points: no image keeps its own captions. A single image keeps its place. */
function derangement(count: number, seed: number, name: string): number[] {
  const cycle = createRandom(seed, 'shuffle', name).shuffled(Array.from({ length: count }, (_, i) => i));
  const order = new Array<number>(count);
  for (const [i, position] of cycle.entries()) order[position] = cycle[(i + 1) % count];
  return order;
}

const SceneFile = z.looseObject({ scenes: z.array(z.looseObject({ id: z.int() })) });

function readScenes(path: string, imageIds: readonly number[]): Scene[] {
  const { scenes } = parseConfig(readJson(path, 'scene ground truth'), SceneFile, path);
  const byId = new Map(scenes.map((scene) => [scene.id, scene as unknown as Scene]));
  return imageIds.map((id) => {
    const scene = byId.get(id);
    if (scene === undefined) throw new UserError(`${path}: expected a scene with id ${id}, it has none`);
    return scene;
  });
}
