import { tf } from '#src/engine';
import { hasFastKernel, requireResult, runFastKernel } from '../fastKernel.js';
import { fusedOp } from '../fusedOp.js';
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
 * Kernels: `PattentionGroups` and `PattentionGroupsGrad`; without them each group is a `pattention` of its own.
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
  const attributes = { ...settings, taus: groups.map(({ tau }) => tau) };
  if (groups.length === 1 || !hasFastKernel('PattentionGroups', attributes)) {
    return pattentionGroupsReference(x, groups, settings, inputNeedsGradient);
  }
  const widths = groups.map(({ valueParamTokens }) => valueParamTokens.shape[1]);
  for (const { keyParamTokens, valueParamTokens } of groups)
    expectPattentionShapes(x, keyParamTokens, valueParamTokens);
  if (widths.some((width) => width !== widths[0])) {
    throw new Error(`pattentionGroups: expected values of one width dOut, got ${widths.join(', ')}`);
  }
  const keys = groups.map(({ keyParamTokens }) => keyParamTokens);
  const values = groups.map(({ valueParamTokens }) => valueParamTokens);
  const trainable = groups.map((group) => group.trainable);
  return fusedOp({
    inputs: [x, ...keys, ...values],
    wanted: [inputNeedsGradient, ...trainable, ...trainable],
    forward: () => {
      const [output, ...scores] = requireResult(runFastKernel('PattentionGroups', { x, keys, values }, attributes));
      return { output, saved: [x, ...keys, ...values, ...scores] };
    },
    backward: (dOutput, [savedX, ...saved]) => {
      const part = (index: number): tf.Tensor[] => saved.slice(index * groups.length, (index + 1) * groups.length);
      const inputs = { dOutput, x: savedX, keys: part(0), values: part(1), scores: part(2) };
      const wanted = { wantInput: inputNeedsGradient, trainable };
      return requireResult(runFastKernel('PattentionGroupsGrad', inputs, { ...attributes, ...wanted }));
    },
  }) as tf.Tensor2D;
}
