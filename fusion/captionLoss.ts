import { summedTokenLoss, type TextBatch } from '#language';
import { tf } from '#src/engine';
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
  { tokenIds, labels, batch, seqLen, lengths }: TextBatch,
  contexts: readonly AttentionContext[] | undefined,
  weights?: Float32Array,
  options: FusionOptions = { bridge: true },
): tf.Scalar {
  const ids = tf.tensor2d(tokenIds, [batch, seqLen], 'int32');
  const { hidden } = captionHidden(model, ids, { ...options, lengths, contexts });
  return summedTokenLoss(model.tree, hidden, labels, weights);
}
