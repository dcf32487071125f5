import { languageHidden, languageLogits } from '#language';
import type { tf } from '#src/engine';
import { tokenFormerStack } from '#src/stacks';
import type { AttentionContext, Capture, KeyValueCache } from '#src/tokenformer';
import type { FusionOptions, JointModel } from './jointModel.js';
import { textBlocks } from './streamBlocks.js';

export interface CaptionForward extends FusionOptions {
  /** What `imageContexts` gave; absent: text alone. */
  readonly contexts?: readonly AttentionContext[];
  /** Text alone, but with the text bridges on: what `replay` trains. */
  readonly bridgeWithoutImage?: boolean;
  readonly caches?: readonly KeyValueCache[];
  /** A first pass whose caches will be read. */
  readonly keepCaches?: boolean;
  /** Tokens of each row that count, [batch]; as `StackOptions`. */
  readonly lengths?: Int32Array;
  /** Receives the intermediates of the text blocks. */
  readonly capture?: Capture;
}

/**
 * Final hidden states of text, with or without images. Text attends to its image's tokens and to earlier text in one joint softmax:
 *
 *            image     text
 *     t1   [ 1 1 1 ] [ 1 0 0 ]
 *     t2   [ 1 1 1 ] [ 1 1 0 ]
 *     t3   [ 1 1 1 ] [ 1 1 1 ]
 *
 * (`crossAttention` reads the image columns in a softmax of their own.)
 * Text alone takes the language backbone's own path: its states to the bit (not under `union`).
 *
 * @param tokenIds [batch, seqLen], int32
 * @returns hidden [batch · seqLen, dModel]
 */
export function captionHidden(
  model: JointModel,
  tokenIds: tf.Tensor2D,
  { contexts, bridgeWithoutImage, caches, keepCaches, lengths, capture, bridge, dropout }: CaptionForward,
): { hidden: tf.Tensor2D; caches: readonly KeyValueCache[] } {
  const blocks = textBlocks(model, contexts !== undefined || bridgeWithoutImage === true, { bridge, dropout });
  // A prefix is read as earlier tokens, through the key-value caches.
  const isPrefix = model.method.contextsPrecedeText && contexts !== undefined && contexts.length > 0;
  const prefix = (): KeyValueCache[] | undefined =>
    isPrefix ? contexts.map(({ keys, values }) => ({ keys, values, length: keys.shape[1] })) : undefined;
  const { backbone } = model.config.language;
  return languageHidden(model.tree, backbone, tokenIds, {
    stack: tokenFormerStack(blocks, backbone.stack),
    contexts: isPrefix ? undefined : contexts,
    caches: caches ?? prefix(),
    keepCaches,
    lengths,
    capture,
  });
}

/** Logits of text, [batch · seqLen, vocabSize], by `captionHidden`. */
export function captionLogits(...args: Parameters<typeof captionHidden>): {
  logits: tf.Tensor2D;
  caches: readonly KeyValueCache[];
} {
  const { hidden, caches } = captionHidden(...args);
  return { logits: languageLogits(args[0].tree, hidden), caches };
}
