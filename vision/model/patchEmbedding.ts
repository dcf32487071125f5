import { tf } from '#src/engine';

/**
 * Cuts images into patches, row by row; a patch is its pixels in (row, column, channel) order.
 *
 * @param pixelValues [batch, imageSize, imageSize, 3]
 * @returns [batch, numPatches, patchSize² · 3]
 */
export function patchify(pixelValues: tf.Tensor4D, patchSize: number): tf.Tensor3D {
  const [batch, imageSize] = pixelValues.shape;
  const grid = imageSize / patchSize;
  return tf.tidy(() => {
    const cut = tf.reshape(pixelValues, [batch, grid, patchSize, grid, patchSize * 3]);
    const ordered = tf.transpose(cut, [0, 1, 3, 2, 4]); // [batch, grid, grid, patchSize, patchSize · 3]
    return tf.reshape(ordered, [batch, grid * grid, patchSize * patchSize * 3]);
  });
}
