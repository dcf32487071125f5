import type { FusedKernelFunctions, tf } from '../../shared/index.js';
import type { KernelContext } from './kernelContext.js';

/**
 * `TokenAttention` and `TokenAttentionGrad`, as src/kernels/tokenAttention defines them, without an array of
 * [queryLen, keyLen]; what the first saves for the second is the log-sum-exp of every row, [batch, numHeads, queryLen].
 */
export function attentionKernels(
  context: KernelContext,
): FusedKernelFunctions<'TokenAttention' | 'TokenAttentionGrad'> {
  const { module, address } = context;
  return {
    TokenAttention: ({ q, k, v, keyMask }, { numHeads, prefixLen, contextLen }) => {
      const [batch, queryLen, width] = q.shape;
      const keyLen = k.shape[1];
      const headDim = width / numHeads;
      const output = context.output(contextLen > 0 ? [2, batch, queryLen, width] : [batch, queryLen, width]);
      const logSumExp = context.output([batch, numHeads, queryLen]);
      const settings = [batch, queryLen, keyLen, numHeads, headDim, prefixLen, contextLen];
      context.scratch(module.tokenAttentionScratch(keyLen, headDim), (scratch) => {
        const inputs = [...[q, k, v].map(address), ...mask(keyMask)];
        module.tokenAttention(...inputs, address(output), address(logSumExp), ...settings, scratch);
      });
      return [output, logSumExp];
    },
    TokenAttentionGrad: (inputs, { numHeads, prefixLen, contextLen }) => {
      const { dOutput, q, k, v, output, saved, keyMask } = inputs;
      const [batch, queryLen, width] = q.shape;
      const keyLen = k.shape[1];
      const headDim = width / numHeads;
      const [dQ, dK, dV] = [q, k, v].map(({ shape }) => context.output(shape));
      const settings = [batch, queryLen, keyLen, numHeads, headDim, prefixLen, contextLen];
      context.scratch(module.tokenAttentionGradientScratch(keyLen, headDim), (scratch) => {
        const tensors = [
          ...[dOutput, q, k, v, output, saved].map(address),
          ...mask(keyMask),
          ...[dQ, dK, dV].map(address),
        ];
        module.tokenAttentionGradient(...tensors, ...settings, scratch);
      });
      return [dQ, dK, dV];
    },
  };

  /** Address of the mask, 0 for none, and its batch stride in bytes, 0 when all share one. */
  function mask(keyMask: tf.TensorInfo | undefined): [number, number] {
    if (keyMask === undefined) return [0, 0];
    if (keyMask.dtype !== 'float32') {
      throw new Error(`TokenAttention: expected a float32 keyMask, got ${keyMask.dtype}; cast it`);
    }
    return [address(keyMask), keyMask.shape[0] === 1 ? 0 : 4 * keyMask.shape[1]];
  }
}
