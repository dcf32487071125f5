import { tf } from '#src/engine';
import { fusedOp, hasFastKernel, requireResult, runFastKernel } from '#src/kernels';
import type { AttentionContext } from './attend.js';
import { type AttentionMask, type BlockLayers, maskPrefix } from './block.js';
import { blockAttributes, kernelLayers } from './blockAttributes.js';
import type { TokenFormerConfig } from './config.js';
import { isPlain } from './pattentionLayer.js';

export interface FusedBlockOptions {
  readonly mask: AttentionMask;
  /** Tokens of each sequence that count; the rest is padding, whose states a kernel may skip and return as 0. */
  readonly lengths?: Int32Array;
  readonly context?: AttentionContext;
}

/**
 * What `block` computes, as one operation forward and one backward: less overhead between kernels, which dominates small
 * models, and sums in place. Kernels: `TokenFormerBlock` and `TokenFormerBlockGrad`.
 *
 * @param x [batch, seqLen, dModel]
 * @returns [batch, seqLen, dModel]; undefined where the engine has no kernel for it, for groups with gates, a shared norm or
 * sparsity or in another process, and for a context with an attention of its own
 */
export function fusedBlock(
  x: tf.Tensor3D,
  blockLayers: BlockLayers,
  config: TokenFormerConfig,
  { mask, lengths, context }: FusedBlockOptions,
): tf.Tensor3D | undefined {
  const layers = kernelLayers(blockLayers, context);
  if (context?.separate !== undefined || !layers.flat().every(isPlain)) return undefined;
  const [, seqLen] = x.shape;
  const groups = layers.flat().map(({ group }) => group);
  const trainable = groups.map((group) => group.trainable);
  const contextLen = context?.keys.shape[1] ?? 0;
  const gated = context?.gate !== undefined;
  const prefixLen = (gated ? 0 : contextLen) + maskPrefix(mask, seqLen);
  const attributes = { ...blockAttributes(layers, config), trainable, prefixLen, contextLen, gated, lengths };
  if (!hasFastKernel('TokenFormerBlock', { ...attributes, recording: false })) return undefined;
  const keys = groups.map(({ keyParamTokens }) => keyParamTokens);
  const values = groups.map(({ valueParamTokens }) => valueParamTokens);
  const read = context ? [context.keys, context.values, ...(context.gate ? [context.gate] : [])] : [];
  // Variables are the model's own and stay: TensorFlow.js is asked to save only what is new. Prefixes of them are.
  const passing = [...keys, ...values].some((tensor) => !(tensor instanceof tf.Variable)) ? [...keys, ...values] : [];
  return fusedOp({
    inputs: [x, ...keys, ...values, ...read],
    wanted: [true, ...trainable, ...trainable, ...read.map(() => true)],
    forward: (recording) => {
      const ofContext = { contextKeys: context?.keys, contextValues: context?.values, contextGate: context?.gate };
      const inputs = { x, keys, values, ...ofContext };
      const [hidden, ...saved] = requireResult(runFastKernel('TokenFormerBlock', inputs, { ...attributes, recording }));
      return { output: hidden, saved: [...saved, ...passing] };
    },
    backward: (dHidden, [saved, ...kept]) => {
      const parameters =
        kept.length > 0 ? { keys: kept.slice(0, keys.length), values: kept.slice(keys.length) } : { keys, values };
      return requireResult(runFastKernel('TokenFormerBlockGrad', { dHidden, ...parameters, saved }, attributes));
    },
  }) as tf.Tensor3D;
}
