import { tf } from '#src/engine';
import { pixelValuesOf } from '#vision';
import { type CaptionOptions, captionCandidates, type GeneratedCaption } from './captioner.js';
import { imageStates } from './imageContexts.js';
import type { JointModel } from './jointModel.js';

/**
 * Captions of decoded images, together: per image those that `decoding` asks for, the one to show first.
 *
 * @param images RGB bytes of each, [imageSize, imageSize, 3]
 */
export async function captionPixels(
  model: JointModel,
  images: readonly Uint8Array[],
  options: CaptionOptions,
): Promise<GeneratedCaption[][]> {
  const { imageSize } = model.config.vision.backbone;
  const states = tf.tidy(() => imageStates(model, pixelValuesOf(images, imageSize)));
  return await captionCandidates(model, states, options).finally(() => states.dispose());
}
