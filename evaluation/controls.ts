/** @file What captions are compared with: other images, no image, other features, other captions. */
import type { CaptionPairs, JointModel, StateCache } from '#fusion';
import { imageStateShape, imageStates, pixelTensor } from '#fusion';
import { useVocabulary } from '#language';
import { tf } from '#src/engine';
import { createRandom } from '#src/random';
import { ParameterTree } from '#src/tokenformer';
import { startWork } from '#src/tracking';
import { createVisionParameters, visionForward } from '#vision';

/** A permutation without fixed points: no image keeps its own captions. A single image keeps its place. */
export function derangement(count: number, seed: number, name: string): number[] {
  const cycle = createRandom(seed, 'shuffle', name).shuffled(Array.from({ length: count }, (_, i) => i));
  const order = new Array<number>(count);
  for (const [i, position] of cycle.entries()) order[position] = cycle[(i + 1) % count];
  return order;
}

/** The states of one mid-grey image (every pixel value 0) in place of every image's. */
export async function blankImage(model: JointModel): Promise<StateCache> {
  const { imageSize } = model.config.vision.backbone;
  const states = tf.tidy(() => imageStates(model, tf.zeros([1, imageSize, imageSize, 3])));
  const one = (await states.data()) as Float32Array;
  states.dispose();
  return {
    states: ({ length }) => {
      const values = new Float32Array(length * one.length);
      for (let i = 0; i < length; i++) values.set(one, i * one.length);
      return tf.tensor4d(values, [length, ...imageStateShape(model.config)]);
    },
    bytes: one.byteLength,
  };
}

/**
 * The same model, its trained bridges included, over a newly initialised vision backbone: how much captions depend on
 * learned features. The tokenizer stays the given model's.
 */
export async function randomVision(model: JointModel, seed: number): Promise<JointModel> {
  const tensors = await model.tree.toHost();
  for (const [name, tensor] of createVisionParameters(model.config.vision.backbone, seed)) tensors.set(name, tensor);
  const tree = new ParameterTree(tensors);
  useVocabulary(tree, model.tokenizer.vocabSize);
  tree.useSparsity(model.tree.sparsity);
  tree.useRemote(model.tree.remote);
  return { ...model, tree, dispose: () => tree.dispose() };
}

/** A unit vector for each of some images. */
export interface ImageFeatures {
  /** Row by row, [images, dModel]. */
  readonly values: Float32Array;
  readonly dModel: number;
}

/** Mean over the image tokens of the vision backbone's final states, at length 1. */
export async function imageFeatures(
  model: JointModel,
  pairs: CaptionPairs,
  positions: readonly number[],
  batchSize: number,
): Promise<ImageFeatures> {
  const { backbone } = model.config.vision;
  const { dModel } = backbone.stack;
  const values = new Float32Array(positions.length * dModel);
  const report = startWork('vision features', positions.length, 'images');
  for (let first = 0; first < positions.length; first += batchSize) {
    const chunk = positions.slice(first, first + batchSize);
    const features = tf.tidy(() => {
      const { normed } = visionForward(model.tree, backbone, pixelTensor(model, pairs, chunk));
      const mean = tf.mean(normed, 1); // [images, dModel]
      return tf.div(mean, tf.norm(mean, 2, 1, true));
    });
    values.set(await features.data(), first * dModel);
    features.dispose();
    report(first + chunk.length);
  }
  return { values, dModel };
}

/** For each of `queries` the row of `candidates` with the largest cosine; of equal ones the first. */
export function nearestNeighbours(queries: ImageFeatures, candidates: ImageFeatures): Int32Array {
  const { dModel } = queries;
  const nearest = new Int32Array(queries.values.length / dModel);
  for (let q = 0; q < nearest.length; q++) {
    let highest = Number.NEGATIVE_INFINITY;
    for (let c = 0; c * dModel < candidates.values.length; c++) {
      let cosine = 0;
      for (let d = 0; d < dModel; d++) cosine += queries.values[q * dModel + d] * candidates.values[c * dModel + d];
      if (cosine > highest) [highest, nearest[q]] = [cosine, c];
    }
  }
  return nearest;
}

/** One reference of every image as its caption, and the others to score it by. */
export interface LeftOut {
  readonly predictions: readonly string[];
  readonly references: readonly (readonly string[])[];
}

/**
 * Every reference in turn against the others of its image: the human score, with one reference fewer.
 * As many rounds as the image with the fewest references has.
 *
 * @returns none when some image has a single reference
 */
export function leaveOneOut(references: readonly (readonly string[])[]): LeftOut[] {
  const rounds = Math.min(...references.map(({ length }) => length));
  if (rounds < 2) return [];
  return Array.from({ length: rounds }, (_, round) => ({
    predictions: references.map((captions) => captions[round]),
    references: references.map((captions) => captions.filter((_, c) => c !== round)),
  }));
}
