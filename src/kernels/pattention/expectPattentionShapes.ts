import type { tf } from '#src/engine';

/** Throws unless x [tokens, dIn], keys [n, dIn] and values [n, dOut] fit together. */
export function expectPattentionShapes(
  x: tf.Tensor2D,
  keyParamTokens: tf.Tensor2D,
  valueParamTokens: tf.Tensor2D,
): void {
  if (x.shape[1] === keyParamTokens.shape[1] && keyParamTokens.shape[0] === valueParamTokens.shape[0]) return;
  throw new Error(
    `pattention: expected x [tokens, dIn], keys [n, dIn], values [n, dOut]; got x [${x.shape}], keys [${keyParamTokens.shape}], values [${valueParamTokens.shape}]`,
  );
}
