import type { CaptionImage } from '#captions/formats';
import type { Decoding } from '#language';
import { withFileBytes } from '#src/data';
import { UserError } from '#src/errors';
import { systemErrorWords } from '#src/storage';
import { type DecodeSettings, decodeImage, largestFile } from '#vision';
import type { GeneratedCaption } from './captioner.js';
import { captionPixels } from './captionPixels.js';
import type { JointModel } from './jointModel.js';

/** An image and its generated captions, the one to show first. */
export interface CaptionedFile {
  readonly image: CaptionImage;
  readonly candidates: readonly GeneratedCaption[];
}

export interface CaptionFilesOptions extends Pick<DecodeSettings, 'maxImagePixels' | 'limitName'> {
  readonly decoding: Decoding;
  readonly batchSize: number;
  /** Whether what alignment trained takes part. Default: true. */
  readonly bridge?: boolean;
  /** Takes an image that cannot be read or decoded, which is then left out. Default: an error. */
  readonly onBroken?: (image: CaptionImage, reason: string) => void;
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
  { decoding, batchSize, bridge = true, onBroken, ...limits }: CaptionFilesOptions,
): AsyncGenerator<CaptionedFile[]> {
  const {
    backbone: { imageSize },
    preprocessing,
  } = model.config.vision;
  const settings: DecodeSettings = { imageSize, ...preprocessing, ...limits };
  const decodeOne = async (image: CaptionImage): Promise<Uint8Array | undefined> => {
    try {
      return await withFileBytes(image, largestFile(settings), (bytes) => decodeImage(bytes, settings));
    } catch (error) {
      const reason = systemErrorWords(error);
      if (onBroken === undefined) throw new UserError(`cannot decode image ${image.path}: ${reason}`);
      onBroken(image, reason);
      return undefined;
    }
  };
  const start = (first: number): Promise<(Uint8Array | undefined)[]> => {
    const decoded = Promise.all(images.slice(first, first + batchSize).map(decodeOne));
    // A failure surfaces where the batch is awaited; this only keeps it from counting as unhandled.
    decoded.catch(() => undefined);
    return decoded;
  };
  let decoded = start(0);
  for (let first = 0; first < images.length; first += batchSize) {
    const bytes = await decoded;
    const batch = images.slice(first, first + batchSize).filter((_, i) => bytes[i] !== undefined);
    const decodedBytes = bytes.filter((one) => one !== undefined);
    decoded = start(first + batchSize);
    if (batch.length === 0) continue;
    const imageIds = batch.map(({ id }) => id);
    const captions = await captionPixels(model, decodedBytes, { decoding, bridge, imageIds });
    yield batch.map((image, i) => ({ image, candidates: captions[i] }));
  }
}
