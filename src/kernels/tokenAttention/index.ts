import type { tf } from '#src/engine';
import { requireResult, runFastKernel } from '../fastKernel.js';
import { fusedOp } from '../fusedOp.js';
import { tokenAttentionGradient } from './gradient.js';
import { type TokenAttentionSettings, tokenAttentionReference } from './reference.js';

export { type TokenAttentionSettings, tokenAttentionReference, visibilityMask } from './reference.js';

/**
 * Token-token attention, ordinary softmax: O = softmax(Q Kᵀ/√headDim + mask) V, per head.
 *
 * With `contextLen` > 0 the first keys are another stream's tokens, in the same softmax, and the result is stacked:
 * [0] the whole output, [1] the part of it that was read from the context.
 *
 * Kernels: `TokenAttention` and `TokenAttentionGrad`.
 *
 * @param q [batch, queryLen, dModel]
 * @param k [batch, keyLen, dModel]
 * @param v [batch, keyLen, dModel]
 * @param keyMask [batch, keyLen], 1 = attend, 0 = padding; a constant
 * @returns [batch, queryLen, dModel], or [2, batch, queryLen, dModel] with a context
 */
export function tokenAttention(
  q: tf.Tensor3D,
  k: tf.Tensor3D,
  v: tf.Tensor3D,
  settings: TokenAttentionSettings,
  keyMask?: tf.Tensor2D,
): tf.Tensor {
  return fusedOp({
    inputs: [q, k, v],
    wanted: [true, true, true],
    forward: () => {
      const fast = runFastKernel('TokenAttention', { q, k, v, keyMask }, settings);
      if (fast) return { output: fast[0], saved: [q, k, v, ...fast, ...(keyMask ? [keyMask] : [])] };
      const { output, probabilities } = tokenAttentionReference(q, k, v, keyMask, settings);
      return { output, saved: [q, k, v, probabilities] };
    },
    backward: (dOutput, savedTensors) => {
      const [savedQ, savedK, savedV, output, saved, savedMask] = savedTensors;
      if (saved === undefined) return tokenAttentionGradient(dOutput, savedTensors, settings);
      const inputs = { dOutput, q: savedQ, k: savedK, v: savedV, output, saved, keyMask: savedMask };
      return requireResult(runFastKernel('TokenAttentionGrad', inputs, settings));
    },
  });
}
