import { tf } from '#src/engine';
import { startWork } from '#src/tracking';
import type { CaptionPairs } from './captionPairs.js';
import { imageStateShape, imageStates } from './imageContexts.js';
import type { FusionOptions, JointModel } from './jointModel.js';

/** Beyond this many bytes, states are recomputed for every batch instead of being kept. */
const MAX_CACHE_BYTES = 2 * 2 ** 30;

/** Vision states of the images of a data set, computed once and kept in host memory. */
export interface StateCache {
  /** [positions, 1 or numLayers, numImageTokens, visionWidth] */
  states(positions: ArrayLike<number>): tf.Tensor4D;
  readonly bytes: number;
}

export interface CachedStates extends Partial<Pick<FusionOptions, 'bridge'>> {
  readonly maxBytes?: number;
}

/** Runs the frozen vision stream over every image once, or, past `maxBytes`, over the images of each batch. */
export async function cacheImageStates(
  model: JointModel,
  pairs: CaptionPairs,
  batchSize: number,
  { maxBytes = MAX_CACHE_BYTES, bridge = true }: CachedStates = {},
): Promise<StateCache> {
  const shape = imageStateShape(model.config);
  const width = shape[0] * shape[1] * shape[2];
  const count = pairs.imageIds.length;
  if (4 * count * width > maxBytes) {
    return {
      states: (positions) => tf.tidy(() => imageStates(model, pixelTensor(model, pairs, positions), { bridge })),
      bytes: 0,
    };
  }
  const all = new Float32Array(count * width);
  const report = startWork('image states', count, 'images');
  for (let first = 0; first < count; first += batchSize) {
    const positions = Array.from({ length: Math.min(batchSize, count - first) }, (_, i) => first + i);
    const states = tf.tidy(() => imageStates(model, pixelTensor(model, pairs, positions), { bridge }));
    all.set(await states.data(), first * width);
    states.dispose();
    report(first + positions.length);
  }
  return {
    states: (positions) => {
      const chosen = new Float32Array(positions.length * width);
      for (let i = 0; i < positions.length; i++) {
        chosen.set(all.subarray(positions[i] * width, (positions[i] + 1) * width), i * width);
      }
      return tf.tensor4d(chosen, [positions.length, ...shape]);
    },
    bytes: all.byteLength,
  };
}

/** Pixels of images by position. [positions, imageSize, imageSize, 3] */
export function pixelTensor(model: JointModel, pairs: CaptionPairs, positions: ArrayLike<number>): tf.Tensor4D {
  const { imageSize } = model.config.vision.backbone;
  return tf.tensor4d(pairs.pixelValues(positions), [positions.length, imageSize, imageSize, 3]);
}
