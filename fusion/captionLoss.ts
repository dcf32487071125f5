import { summedTokenLoss, type TextBatch } from '#language';
import { tf } from '#src/engine';
import type { AttentionContext } from '#src/tokenformer';
import { captionHidden } from './captionPass.js';
import type { JointModel } from './jointModel.js';

/**
 * Σ over the tokens of captions of w · −log p(token | image, earlier tokens), in nats.
 *
 * @param contexts what `imageContexts` gave, one image per row; undefined: blind
 * @param bridge false: the merge with zero trained parameters
 */
export function captionLoss(
  model: JointModel,
  { tokenIds, labels, batch, seqLen, lengths }: TextBatch,
  contexts: readonly AttentionContext[] | undefined,
  weights?: Float32Array,
  bridge = true,
): tf.Scalar {
  const ids = tf.tensor2d(tokenIds, [batch, seqLen], 'int32');
  const { hidden } = captionHidden(model, ids, { bridge, lengths, contexts });
  return summedTokenLoss(model.tree, hidden, labels, weights);
}
