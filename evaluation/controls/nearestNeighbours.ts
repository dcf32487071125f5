import type { CaptionPairs, JointModel } from '#fusion';
import { pixelTensor } from '#fusion';
import { tf } from '#src/engine';
import { visionForward } from '#vision';

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
  for (let first = 0; first < positions.length; first += batchSize) {
    const chunk = positions.slice(first, first + batchSize);
    const features = tf.tidy(() => {
      const { normed } = visionForward(model.tree, backbone, pixelTensor(model, pairs, chunk));
      const mean = tf.mean(normed, 1); // [images, dModel]
      return tf.div(mean, tf.norm(mean, 2, 1, true));
    });
    values.set(await features.data(), first * dModel);
    features.dispose();
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
