import type { tf } from '#src/engine';
import { fusedOp, hasFastKernel, LAYER_NORM_EPSILON, runFastKernel } from '#src/kernels';
import { type AttentionContext, type AttentionMask, type BlockLayers, maskPrefix } from './block.js';
import { rotaryDims, type TokenFormerConfig } from './config.js';
import type { ActiveGroup } from './pattentionLayer.js';

/** Whether `fusedBlock` can take a block: an engine with its kernels, ungated groups with norms of their own, one attention. */
export function canFuse(layers: BlockLayers, context: AttentionContext | undefined): boolean {
  const isPlain = ({ gate, norm }: ActiveGroup): boolean => gate === undefined && (norm ?? 'own') === 'own';
  return (
    hasFastKernel('TokenFormerBlock') &&
    context?.separate === undefined &&
    [...Object.values(layers), context?.outputGroups ?? []].flat().every(isPlain)
  );
}

/**
 * What `block` computes, as one operation forward and one backward: small models spend less on the way from kernel to
 * kernel than in them, and sums are added where they lie.
 *
 * An engine may bring kernels `TokenFormerBlock` (x, keys of every group, values of every group, the context's keys and
 * values → hidden and, when `recording`, one tensor of what the other one wants of it) and `TokenFormerBlockGrad` (dHidden,
 * keys and values of every group, that tensor → dX, dKeys of the trainable groups, dValues of the trainable groups, the
 * context's dKeys and dValues). Layers are in the order query, key, value, output, output groups of the context, ffn;
 * `groupsOfLayers` counts their groups. With `lengths` the tokens behind each sequence's own are padding, whose states nobody
 * looks at: a kernel may leave them out, and give 0.
 *
 * @param x [batch, seqLen, dModel]
 * @returns [batch, seqLen, dModel]
 */
export function fusedBlock(
  x: tf.Tensor3D,
  { query, key, value, output, ffn }: BlockLayers,
  config: TokenFormerConfig,
  {
    mask,
    lengths,
    context,
  }: { readonly mask: AttentionMask; readonly lengths?: Int32Array; readonly context?: AttentionContext },
): tf.Tensor3D {
  const [, seqLen] = x.shape;
  const layers = [query, key, value, output, context?.outputGroups ?? [], ffn];
  const groups = layers.flat().map(({ group }) => group);
  const keys = groups.map(({ keyParamTokens }) => keyParamTokens);
  const values = groups.map(({ valueParamTokens }) => valueParamTokens);
  const trainable = groups.map((group) => group.trainable);
  const read = context ? [context.keys, context.values] : [];
  const contextLen = context?.keys.shape[1] ?? 0;
  const attributes = {
    groupsOfLayers: layers.map(({ length }) => length),
    taus: groups.map(({ tau }) => tau),
    trainable,
    numHeads: config.numHeads,
    prefixLen: contextLen + maskPrefix(mask, seqLen),
    contextLen,
    lengths,
    rotaryDims: rotaryDims(config),
    rotaryBase: config.rotaryBase,
    normActivation: config.normActivation,
    gelu: config.gelu,
    epsilon: config.normEpsilon,
    layerNormEpsilon: LAYER_NORM_EPSILON,
  };
  return fusedOp({
    inputs: [x, ...keys, ...values, ...read],
    wanted: [true, ...trainable, ...trainable, ...read.map(() => true)],
    forward: (recording) => {
      const inputs = [x, ...keys, ...values, ...read];
      const [hidden, ...saved] = runFastKernel('TokenFormerBlock', inputs, { ...attributes, recording }) as tf.Tensor[];
      return { output: hidden, saved };
    },
    // The parameters are the model's own and stay: TensorFlow.js is asked to save only what is new.
    backward: (dHidden, saved) =>
      runFastKernel('TokenFormerBlockGrad', [dHidden, ...keys, ...values, ...saved], attributes) as tf.Tensor[],
  }) as tf.Tensor3D;
}
