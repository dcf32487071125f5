import type { tf } from '#src/engine';
import { fusedOp, hasFastKernel, LAYER_NORM_EPSILON, requireResult, runFastKernel } from '#src/kernels';
import { type FusedBlockOptions, maskPrefix, rotaryDims } from '#src/tokenformer';
import type { TransformerConfig } from './config.js';
import { type TransformerLayers, WEIGHT_NAMES } from './transformerLayers.js';

/**
 * What `transformerBlock` computes, as one operation forward and one backward, as `fusedBlock` for a TokenFormer. Kernels:
 * `TransformerBlock` and `TransformerBlockGrad`.
 *
 * @param x [batch, seqLen, dModel]
 * @returns [batch, seqLen, dModel]; undefined where the engine has no kernel for it
 */
export function fusedTransformerBlock(
  x: tf.Tensor3D,
  layers: TransformerLayers,
  config: TransformerConfig,
  { mask, lengths }: Omit<FusedBlockOptions, 'context'>,
): tf.Tensor3D | undefined {
  const { query, key, value, output, up, down } = layers;
  const trainsMlp = up.trainable || down.trainable;
  const trainable = [...[query, key, value, output].map((weight) => weight.trainable), trainsMlp, trainsMlp];
  const attributes = {
    gelu: config.gelu,
    numHeads: config.numHeads,
    rotaryDims: rotaryDims(config),
    rotaryBase: config.rotaryBase,
    layerNormEpsilon: LAYER_NORM_EPSILON,
    trainable,
    prefixLen: maskPrefix(mask, x.shape[1]),
    lengths,
  };
  if (!hasFastKernel('TransformerBlock', { ...attributes, recording: false })) return undefined;
  const weights = WEIGHT_NAMES.map((name) => layers[name].tensor);
  return fusedOp({
    inputs: [x, ...weights],
    wanted: [true, ...trainable],
    forward: (recording) => {
      const kernel = runFastKernel('TransformerBlock', { x, weights }, { ...attributes, recording });
      const [hidden, ...saved] = requireResult(kernel);
      return { output: hidden, saved };
    },
    backward: (dHidden, [saved]) =>
      requireResult(runFastKernel('TransformerBlockGrad', { dHidden, weights, saved }, attributes)),
  }) as tf.Tensor3D;
}
