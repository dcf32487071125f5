import { tf } from '#src/engine';
import type { ParameterTree } from '#src/tokenformer';
import { embedPatches, encodeTokens, patchTokens, withClassToken } from '../model/backbone.js';
import type { AnyVisionConfig } from '../model/config.js';

/**
 * Some patches of each image.
 *
 * @param patches [batch, numPatches, width], or anything else of them
 * @param indices [batch · count], which patch of its image each one is
 * @returns [batch, count, width]
 */
export function pickPatches(patches: tf.Tensor3D, indices: Int32Array): tf.Tensor3D {
  const [batch, numPatches, width] = patches.shape;
  const count = indices.length / batch;
  const rows = Int32Array.from(indices, (index, i) => Math.floor(i / count) * numPatches + index);
  const flat = tf.reshape(patches, [batch * numPatches, width]);
  return tf.reshape(tf.gather(flat, tf.tensor1d(rows, 'int32')), [batch, count, width]);
}

/**
 * The backbone over some patches of each image, which see nothing of the others.
 *
 * @param picked [batch, count, patchSize² · 3]
 * @param indices [batch · count], which patch of its image each one is
 * @returns [batch · count, dModel], after the final norm
 */
export function encodePicked(
  tree: ParameterTree,
  config: AnyVisionConfig,
  picked: tf.Tensor3D,
  indices: tf.Tensor1D,
): tf.Tensor2D {
  const tokens = embedPatches(tree, config, picked, indices);
  const { normed } = encodeTokens(tree, config, withClassToken(tree, config, tokens));
  return tf.reshape(patchTokens(config, normed), [indices.size, config.stack.dModel]) as tf.Tensor2D;
}
