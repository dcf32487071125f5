import { tf } from '#src/engine';

/**
 * Decoded images as a model reads them: bytes 0..255 to [−1, 1].
 *
 * @param images RGB bytes of each, [imageSize, imageSize, 3]
 * @returns [batch, imageSize, imageSize, 3]
 */
export function pixelValuesOf(images: readonly Uint8Array[], imageSize: number): tf.Tensor4D {
  const values = Float32Array.from(Buffer.concat(images), (byte) => byte / 127.5 - 1);
  return tf.tensor4d(values, [images.length, imageSize, imageSize, 3]);
}
