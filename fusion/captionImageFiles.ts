import type { CaptionImage } from '#captions/formats';
import type { Decoding } from '#language';
import { tf } from '#src/engine';
import { UserError } from '#src/errors';
import { readBytes } from '#src/storage';
import { decodeImage } from '#vision';
import { captionCandidates, type GeneratedCaption } from './captioner.js';
import { imageStates } from './imageContexts.js';
import type { JointModel } from './jointModel.js';

/** An image and its generated captions, the one to show first. */
export interface CaptionedFile {
  readonly image: CaptionImage;
  readonly candidates: readonly GeneratedCaption[];
}

/**
 * Captions images of any size and format, batch by batch in their order. The next batch's files are read and decoded (by
 * sharp, in threads of its own) while the engine is busy with this one; no more than two batches are in memory.
 *
 * @throws UserError naming an image that cannot be read or decoded, after the batches before its own
 */
export async function* captionImageFiles(
  model: JointModel,
  images: readonly CaptionImage[],
  { decoding, batchSize }: { readonly decoding: Decoding; readonly batchSize: number },
): AsyncGenerator<CaptionedFile[]> {
  const {
    backbone: { imageSize },
    preprocessing,
  } = model.config.vision;
  const decodeOne = async (image: CaptionImage): Promise<Uint8Array> => {
    const bytes = readBytes(image, 'image');
    return decodeImage(bytes, { imageSize, ...preprocessing }).catch((error: Error) => {
      throw new UserError(`cannot decode image ${image.path}: ${error.message}`);
    });
  };
  const start = (first: number): Promise<Uint8Array[]> => {
    const decoded = Promise.all(images.slice(first, first + batchSize).map(decodeOne));
    // A failure surfaces where the batch is awaited; this only keeps it from counting as unhandled.
    decoded.catch(() => undefined);
    return decoded;
  };
  let decoded = start(0);
  for (let first = 0; first < images.length; first += batchSize) {
    const batch = images.slice(first, first + batchSize);
    const pixels = Float32Array.from(Buffer.concat(await decoded), (byte) => byte / 127.5 - 1);
    decoded = start(first + batchSize);
    const states = tf.tidy(() => imageStates(model, tf.tensor4d(pixels, [batch.length, imageSize, imageSize, 3])));
    const imageIds = batch.map(({ id }) => id);
    const captions = await captionCandidates(model, states, { decoding, bridge: true, imageIds }).finally(() =>
      states.dispose(),
    );
    yield batch.map((image, i) => ({ image, candidates: captions[i] }));
  }
}
