import type { Attributes, Tensors } from '../tensorFlow.js';
import { expectRank, type KernelContext, type NativeKernel } from './kernelContext.js';

/**
 * `TokenAttention` and `TokenAttentionGrad`, as src/kernels/tokenAttention defines them, without an array of
 * [queryLen, keyLen]; what the first saves for the second is the log-sum-exp of every row, [batch, numHeads, queryLen].
 */
export function attentionKernels({ addon, numbers, output }: KernelContext): Record<string, NativeKernel> {
  /** The compiled functions' sizes, from batch to whether one mask serves all. */
  function sizes({ q, k, keyMask }: Tensors, { numHeads, prefixLen, contextLen }: Attributes): (number | boolean)[] {
    expectRank('TokenAttention', 'q', q, 3);
    expectRank('TokenAttention', 'k', k, 3);
    if (q.shape[2] % (numHeads as number) !== 0) {
      throw new Error(`TokenAttention: expected a width that ${numHeads} heads divide, got q [${q.shape}]`);
    }
    if (keyMask !== undefined && keyMask.dtype !== 'float32') {
      throw new Error(`TokenAttention: expected a float32 keyMask, got ${keyMask.dtype}; cast it`);
    }
    const lengths = [q.shape[0], q.shape[1], k.shape[1], numHeads as number, q.shape[2] / (numHeads as number)];
    return [...lengths, prefixLen as number, contextLen as number, keyMask?.shape[0] === 1];
  }

  return {
    TokenAttention: (inputs, attributes) => {
      const { q, k, v, keyMask } = inputs;
      const settings = sizes(inputs, attributes);
      const results = [
        output((attributes.contextLen as number) > 0 ? [2, ...q.shape] : q.shape),
        output([q.shape[0], attributes.numHeads as number, q.shape[1]]), // logSumExp
      ];
      addon.attention(...settings, ...[q, k, v].map(numbers), keyMask && numbers(keyMask), ...results.map(numbers));
      return results;
    },
    TokenAttentionGrad: (inputs, attributes) => {
      const { dOutput, q, k, v, output: result, saved, keyMask } = inputs;
      const settings = sizes(inputs, attributes);
      const gradients = [q, k, v].map(({ shape }) => output(shape)); // dQ, dK, dV
      const mask = keyMask && numbers(keyMask);
      const tensors = [result, saved, dOutput, ...gradients].map(numbers);
      addon.attentionGradient(...settings, ...[q, k, v].map(numbers), mask, ...tensors);
      return gradients;
    },
  };
}
