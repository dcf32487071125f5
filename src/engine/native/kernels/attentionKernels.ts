import type { AttentionAttributes, FusedKernelFunctions, tf } from '../../shared/index.js';
import { expectRank, type KernelContext } from './kernelContext.js';

/**
 * `TokenAttention` and `TokenAttentionGrad`, as src/kernels/tokenAttention defines them, without an array of
 * [queryLen, keyLen]; what the first saves for the second is the log-sum-exp of every row, [batch, numHeads, queryLen].
 */
export function attentionKernels({
  addon,
  numbers,
  output,
}: KernelContext): FusedKernelFunctions<'TokenAttention' | 'TokenAttentionGrad'> {
  /** The compiled functions' sizes, from batch to whether one mask serves all. */
  function sizes(
    { q, k, keyMask }: { readonly q: tf.TensorInfo; readonly k: tf.TensorInfo; readonly keyMask?: tf.TensorInfo },
    { numHeads, prefixLen, contextLen }: AttentionAttributes,
  ): (number | boolean)[] {
    expectRank('TokenAttention', 'q', q, 3);
    expectRank('TokenAttention', 'k', k, 3);
    if (q.shape[2] % numHeads !== 0) {
      throw new Error(`TokenAttention: expected a width that ${numHeads} heads divide, got q [${q.shape}]`);
    }
    if (keyMask !== undefined && keyMask.dtype !== 'float32') {
      throw new Error(`TokenAttention: expected a float32 keyMask, got ${keyMask.dtype}; cast it`);
    }
    const lengths = [q.shape[0], q.shape[1], k.shape[1], numHeads, q.shape[2] / numHeads];
    return [...lengths, prefixLen, contextLen, keyMask?.shape[0] === 1];
  }

  return {
    TokenAttention: (inputs, attributes) => {
      const { q, k, v, keyMask } = inputs;
      const settings = sizes(inputs, attributes);
      const result = output(attributes.contextLen > 0 ? [2, ...q.shape] : q.shape);
      const logSumExp = output([q.shape[0], attributes.numHeads, q.shape[1]]);
      const results = [result, logSumExp].map(numbers);
      addon.attention(...settings, ...[q, k, v].map(numbers), keyMask && numbers(keyMask), ...results);
      return [result, logSumExp];
    },
    TokenAttentionGrad: (inputs, attributes) => {
      const { dOutput, q, k, v, output: result, saved, keyMask } = inputs;
      const settings = sizes(inputs, attributes);
      const [dQ, dK, dV] = [q, k, v].map(({ shape }) => output(shape));
      const mask = keyMask && numbers(keyMask);
      const tensors = [result, saved, dOutput, dQ, dK, dV].map(numbers);
      addon.attentionGradient(...settings, ...[q, k, v].map(numbers), mask, ...tensors);
      return [dQ, dK, dV];
    },
  };
}
