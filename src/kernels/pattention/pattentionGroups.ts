import { tf } from '#src/engine';
import { fusedOp, hasFastKernel, runFastKernel } from '../fusedOp.js';
import { expectPattentionShapes, pattention } from './pattention.js';
import type { PattentionSettings } from './reference.js';

/** One group of parameter tokens; `trainable`: the caller will ask for the gradients of its keys and values. */
export interface PattentionGroup {
  /** [numParamTokens, dIn] */
  readonly keyParamTokens: tf.Tensor2D;
  /** [numParamTokens, dOut] */
  readonly valueParamTokens: tf.Tensor2D;
  readonly tau: number;
  readonly trainable: boolean;
}

/**
 * The definition: the outputs of the groups, each with its own norm, added in order.
 *
 *   Y = Σ_g Θ_g(X K_gᵀ) V_g
 */
export function pattentionGroupsReference(
  x: tf.Tensor2D,
  groups: readonly PattentionGroup[],
  settings: Omit<PattentionSettings, 'tau'>,
  inputNeedsGradient = true,
): tf.Tensor2D {
  return groups
    .map(({ keyParamTokens, valueParamTokens, tau, trainable }) => {
      const want = { input: inputNeedsGradient, params: trainable };
      return pattention(x, keyParamTokens, valueParamTokens, { ...settings, tau }, want);
    })
    .reduce((sum, y) => tf.add(sum, y));
}

/**
 * Token-parameter attention of several groups of one layer that read the same tokens.
 *
 * An engine may bring kernels `PattentionGroups` (x, keys of every group, values of every group → output, scores of
 * every group) and `PattentionGroupsGrad` (dOutput, these and the scores → dX if wanted, dKeys of the trainable groups,
 * dValues of the trainable groups); without them each group is a `pattention` of its own.
 *
 * @param x [tokens, dIn]
 * @param groups at least one, all with the same dIn and dOut
 * @returns [tokens, dOut]
 * @throws Error when dIn, dOut or numParamTokens disagree
 */
export function pattentionGroups(
  x: tf.Tensor2D,
  groups: readonly PattentionGroup[],
  settings: Omit<PattentionSettings, 'tau'>,
  inputNeedsGradient = true,
): tf.Tensor2D {
  if (groups.length === 1 || !hasFastKernel('PattentionGroups')) {
    return pattentionGroupsReference(x, groups, settings, inputNeedsGradient);
  }
  const widths = groups.map(({ valueParamTokens }) => valueParamTokens.shape[1]);
  for (const { keyParamTokens, valueParamTokens } of groups)
    expectPattentionShapes(x, keyParamTokens, valueParamTokens);
  if (widths.some((width) => width !== widths[0])) {
    throw new Error(`pattentionGroups: expected values of one width dOut, got ${widths.join(', ')}`);
  }
  const inputs = [
    x,
    ...groups.map(({ keyParamTokens }) => keyParamTokens),
    ...groups.map(({ valueParamTokens }) => valueParamTokens),
  ];
  const trainable = groups.map((group) => group.trainable);
  const attributes = { ...settings, taus: groups.map(({ tau }) => tau) };
  return fusedOp({
    inputs,
    wanted: [inputNeedsGradient, ...trainable, ...trainable],
    forward: () => {
      const [output, ...scores] = runFastKernel('PattentionGroups', inputs, attributes) as tf.Tensor[];
      return { output, saved: [...inputs, ...scores] };
    },
    backward: (dOutput, saved) => {
      const wanted = { wantInput: inputNeedsGradient, trainable };
      return runFastKernel('PattentionGroupsGrad', [dOutput, ...saved], { ...attributes, ...wanted }) as tf.Tensor[];
    },
  }) as tf.Tensor2D;
}
