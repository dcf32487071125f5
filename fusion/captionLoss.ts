import { languageLogits, summedTokenLoss, type TextBatch } from '#language';
import { tf } from '#src/engine';
import { IGNORE_INDEX } from '#src/kernels';
import type { AttentionContext } from '#src/tokenformer';
import { captionHidden } from './captionPass.js';
import type { FusionOptions, JointModel } from './jointModel.js';

/**
 * Σ over the tokens of captions of w · −log p(token | image, earlier tokens), in nats.
 *
 * @param contexts what `imageContexts` gave, one image per row; undefined: blind
 */
export function captionLoss(
  model: JointModel,
  text: TextBatch,
  contexts: readonly AttentionContext[] | undefined,
  weights?: Float32Array,
  options: FusionOptions = { bridge: true },
): tf.Scalar {
  return summedTokenLoss(model.tree, hiddenOf(model, text, contexts, options), text.labels, weights);
}

/** The same without weights, and how many tokens are the likeliest of all, given the image and the tokens before them. */
export function captionLossAndHits(
  model: JointModel,
  text: TextBatch,
  contexts: readonly AttentionContext[] | undefined,
  options: FusionOptions = { bridge: true },
): { loss: tf.Scalar; hits: tf.Scalar } {
  const hidden = hiddenOf(model, text, contexts, options);
  const likeliest = tf.argMax(languageLogits(model.tree, hidden), 1);
  const labels = tf.tensor1d(text.labels, 'int32');
  const isHit = tf.logicalAnd(tf.equal(likeliest, labels), tf.notEqual(labels, IGNORE_INDEX));
  return { loss: summedTokenLoss(model.tree, hidden, text.labels), hits: tf.sum(tf.cast(isHit, 'float32')) };
}

function hiddenOf(
  model: JointModel,
  { tokenIds, batch, seqLen, lengths }: TextBatch,
  contexts: readonly AttentionContext[] | undefined,
  options: FusionOptions,
): tf.Tensor2D {
  const ids = tf.tensor2d(tokenIds, [batch, seqLen], 'int32');
  return captionHidden(model, ids, { ...options, lengths, contexts }).hidden;
}
