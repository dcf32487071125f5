import type { tf } from '#src/engine';
import { runFastKernel } from '../fastKernel.js';
import { fusedOp } from '../fusedOp.js';
import { pattentionGradient } from './gradient.js';
import { type PattentionSettings, pattentionReference } from './reference.js';

/** Which gradients the caller will ask for; what is not wanted is not computed. */
export interface PattentionGradients {
  readonly input: boolean;
  readonly params: boolean;
}

/**
 * Token-parameter attention of one group: every token attends to learnable key and value parameter tokens.
 *
 *   Y = Θ(X Kᵀ) V,   Θ one of `normActivations.ts`
 *
 * Kernels: `Pattention` and `PattentionGrad`.
 *
 * @param x [tokens, dIn]
 * @param keyParamTokens [numParamTokens, dIn]
 * @param valueParamTokens [numParamTokens, dOut]
 * @returns [tokens, dOut]
 * @throws Error when dIn or numParamTokens disagree
 */
export function pattention(
  x: tf.Tensor2D,
  keyParamTokens: tf.Tensor2D,
  valueParamTokens: tf.Tensor2D,
  settings: PattentionSettings,
  want: PattentionGradients = { input: true, params: true },
): tf.Tensor2D {
  expectPattentionShapes(x, keyParamTokens, valueParamTokens);
  return fusedOp({
    inputs: [x, keyParamTokens, valueParamTokens],
    wanted: [want.input, want.params, want.params],
    forward: () => {
      const fast = runFastKernel('Pattention', { x, keyParamTokens, valueParamTokens }, settings);
      const [output, scores] =
        fast ?? Object.values(pattentionReference(x, keyParamTokens, valueParamTokens, settings));
      return { output, saved: [x, keyParamTokens, valueParamTokens, scores] };
    },
    backward: (dOutput, saved) => {
      const [savedX, savedKeys, savedValues, scores] = saved;
      const inputs = { dOutput, x: savedX, keyParamTokens: savedKeys, valueParamTokens: savedValues, scores };
      const attributes = { ...settings, wantInput: want.input, wantParams: want.params };
      return runFastKernel('PattentionGrad', inputs, attributes) ?? pattentionGradient(dOutput, saved, settings, want);
    },
  }) as tf.Tensor2D;
}

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
