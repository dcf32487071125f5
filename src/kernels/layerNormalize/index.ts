import type { tf } from '#src/engine';
import { runFastKernel } from '../fastKernel.js';
import { fusedOp } from '../fusedOp.js';
import { layerNormalizeGradient } from './gradient.js';
import { layerNormalizeReference } from './reference.js';

export { layerNormalizeReference } from './reference.js';

/** Added to the variance, in every layer of a TokenFormer. */
export const LAYER_NORM_EPSILON = 1e-5;

/**
 * Non-parametric layer normalization, as every TokenFormer block uses it (ε = 1e-5 in the official code). Kernels:
 * `LayerNormalize` and `LayerNormalizeGrad`; inverseDeviation is [tokens, 1].
 *
 * @param x [tokens, dModel]
 * @returns [tokens, dModel]
 */
export function layerNormalize(x: tf.Tensor2D, epsilon = LAYER_NORM_EPSILON): tf.Tensor2D {
  return fusedOp({
    inputs: [x],
    wanted: [true],
    forward: () => {
      const fast = runFastKernel('LayerNormalize', { x }, { epsilon });
      const [output, inverseDeviation] = fast ?? Object.values(layerNormalizeReference(x, epsilon));
      return { output, saved: [output, inverseDeviation] };
    },
    backward: (dOutput, saved) => {
      const [output, inverseDeviation] = saved;
      return (
        runFastKernel('LayerNormalizeGrad', { dOutput, output, inverseDeviation }, {}) ?? [
          layerNormalizeGradient(dOutput, saved),
        ]
      );
    },
  }) as tf.Tensor2D;
}
