import type { AttentionAttributes, FusedKernelFunctions, tf } from '../../shared/index.js';
import { tensorArithmetic } from './arithmetic.js';
import { type Attention, encodeAttentionBackward, encodeAttentionForward, type TokenRows } from './attention.js';
import { expectRank, type KernelContext, sizeOf } from './context.js';

const FLOAT_BYTES = 4;

/**
 * `TokenAttention` and `TokenAttentionGrad`, as src/kernels/tokenAttention defines them; what the first saves for the second is the
 * base-2 log-sum-exp of every row, [batch, numHeads, queryLen].
 */
export function attentionKernels(
  context: KernelContext,
): FusedKernelFunctions<'TokenAttention' | 'TokenAttentionGrad'> {
  /** Sizes, mask, and where q, k and v are. */
  function read(
    inputs: Readonly<Record<'q' | 'k' | 'v', tf.TensorInfo>> & { readonly keyMask?: tf.TensorInfo },
    { numHeads, prefixLen, contextLen }: AttentionAttributes,
  ): Omit<Attention, 'out' | 'lse'> {
    const { q, k, v, keyMask } = inputs;
    expectRank('TokenAttention', 'q', q, 3);
    expectRank('TokenAttention', 'k', k, 3);
    expectRank('TokenAttention', 'v', v, 3);
    const [batch, seqLen, width] = q.shape;
    if (width % numHeads !== 0) {
      throw new Error(`TokenAttention: expected a width that ${numHeads} heads divide, got q [${q.shape}]`);
    }
    if (keyMask !== undefined && keyMask.dtype !== 'float32') {
      throw new Error(`TokenAttention: expected a float32 keyMask, got ${keyMask.dtype}; cast it`);
    }
    const { type, compute } = tensorArithmetic(context);
    const keyLen = k.shape[1];
    const headDim = width / numHeads;
    return {
      ...{ type, compute, q: rowsOf(q), k: rowsOf(k), v: rowsOf(v) },
      ...{ batch, seqLen, keyLen, numHeads, headDim, prefixLen, contextLen, scale: 1 / Math.sqrt(headDim) },
      ...(keyMask && { keyMask: context.address(keyMask), maskStride: keyMask.shape[0] === 1 ? 0 : keyLen }),
    };
  }

  function rowsOf(tensor: tf.TensorInfo): TokenRows {
    const [seqLen, width] = tensor.shape.slice(-2);
    return { address: context.address(tensor), rowStride: width, batchStride: seqLen * width };
  }

  /** The whole and, with a context, the part that was read from it, behind it. */
  function partsOf(tensor: tf.TensorInfo, contextLen: number): [whole: TokenRows, ofContext: TokenRows | undefined] {
    const whole = rowsOf(tensor);
    if (contextLen === 0) return [whole, undefined];
    return [whole, { ...whole, address: whole.address + (sizeOf(tensor.shape) / 2) * FLOAT_BYTES }];
  }

  return {
    TokenAttention: (inputs, attributes) => {
      const settings = read(inputs, attributes);
      const { q } = inputs;
      const result = context.output(attributes.contextLen > 0 ? [2, ...q.shape] : q.shape);
      const logSumExp = context.output([settings.batch, attributes.numHeads, settings.seqLen]);
      const [out, contextOut] = partsOf(result, attributes.contextLen);
      encodeAttentionForward(context, { ...settings, out, contextOut, lse: context.address(logSumExp) });
      return [result, logSumExp];
    },
    TokenAttentionGrad: (inputs, attributes) => {
      const { dOutput, q, k, v, output, saved } = inputs;
      const [dQ, dK, dV] = [q, k, v].map(({ shape }) => context.output(shape));
      const [out, contextOut] = partsOf(output, attributes.contextLen);
      const [dOut, dContextOut] = partsOf(dOutput, attributes.contextLen);
      encodeAttentionBackward(context, {
        ...read(inputs, attributes),
        ...{ out, contextOut, dOut, dContextOut, lse: context.address(saved) },
        ...{ dQ: rowsOf(dQ), dK: rowsOf(dK), dV: rowsOf(dV) },
      });
      return [dQ, dK, dV];
    },
  };
}
