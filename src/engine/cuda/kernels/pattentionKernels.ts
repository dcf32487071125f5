import type { FusedKernelFunctions, NormActivationAttributes, tf } from '../../shared/index.js';
import { multiply, tensorArithmetic } from './arithmetic.js';
import { expectRank, type KernelContext, sizeOf } from './context.js';
import { type ParamTokens, thetaOf } from './pattentionSet.js';
import { encodeTheta, encodeThetaGradient } from './rowCommands.js';

/** A group with its scores, [tokens, n]. */
interface Group extends ParamTokens {
  readonly scores: tf.TensorInfo;
}

/**
 * `Pattention`, `PattentionGroups` and their gradients, as src/kernels/pattention defines them: every group after the first adds to
 * the output of those before it.
 */
export function pattentionKernels(
  context: KernelContext,
): FusedKernelFunctions<'Pattention' | 'PattentionGrad' | 'PattentionGroups' | 'PattentionGroupsGrad'> {
  const { address, output } = context;
  const matrix = (tensor: tf.TensorInfo) => ({ address: address(tensor), stride: tensor.shape[1] });

  function rowsOf({ scores, tau }: Group) {
    const [rows, length] = scores.shape;
    return { rows, stride: length, groups: [{ start: 0, length, tau }] };
  }

  /** The output, [tokens, dOut]; writes the scores. */
  function forward(x: tf.TensorInfo, groups: readonly Group[], attributes: NormActivationAttributes): tf.TensorInfo {
    const arithmetic = tensorArithmetic(context);
    const [tokens, dIn] = x.shape;
    const dOut = groups[0].values.shape[1];
    const result = output([tokens, dOut]);
    if (tokens === 0) return result;
    for (const [i, group] of groups.entries()) {
      const n = group.keys.shape[0];
      const [scores, weights] = [address(group.scores), context.scratch(sizeOf(group.scores.shape) * 4)];
      const c = matrix(group.scores);
      multiply(context, arithmetic, { a: matrix(x), b: matrix(group.keys), c, transposeB: true, m: tokens, n, k: dIn });
      encodeTheta(context, arithmetic, rowsOf(group), thetaOf(attributes), { scores, weights });
      const a = { address: weights, stride: n };
      const sizes = { m: tokens, n: dOut, k: n, beta: i > 0 ? 1 : 0 };
      multiply(context, arithmetic, { a, b: matrix(group.values), c: matrix(result), ...sizes });
    }
    return result;
  }

  /** dX if wanted, then dKeys, then dValues of the groups that have them. */
  function backward(
    dOutput: tf.TensorInfo,
    x: tf.TensorInfo,
    groups: readonly Group[],
    attributes: NormActivationAttributes & { readonly wantInput: boolean },
  ): tf.TensorInfo[] {
    const arithmetic = tensorArithmetic(context);
    const [tokens, dIn] = x.shape;
    const dOut = groups[0].values.shape[1];
    const dX = attributes.wantInput ? output(x.shape) : undefined;
    for (const [i, group] of groups.entries()) {
      const { dKeys, dValues } = group;
      if (dX === undefined && dKeys === undefined) continue;
      const n = group.keys.shape[0];
      const [gradient, weights] = [0, 1].map(() => context.scratch(sizeOf(group.scores.shape) * 4));
      const c = { address: gradient, stride: n };
      const a = { address: weights, stride: n };
      const sizes = { m: tokens, n, k: dOut };
      multiply(context, arithmetic, { a: matrix(dOutput), b: matrix(group.values), c, transposeB: true, ...sizes });
      const places = { scores: address(group.scores), gradient, weights: dValues ? weights : undefined };
      encodeThetaGradient(context, arithmetic, rowsOf(group), thetaOf(attributes), places);
      const ofParams = { transposeA: true, m: n, k: tokens };
      if (dValues) multiply(context, arithmetic, { a, b: matrix(dOutput), c: matrix(dValues), ...ofParams, n: dOut });
      if (dKeys) multiply(context, arithmetic, { a: c, b: matrix(x), c: matrix(dKeys), ...ofParams, n: dIn });
      const ofInput = { m: tokens, n: dIn, k: n, beta: i > 0 ? 1 : 0 };
      if (dX) multiply(context, arithmetic, { a: c, b: matrix(group.keys), c: matrix(dX), ...ofInput });
    }
    const gradients = [dX, ...groups.map(({ dKeys }) => dKeys), ...groups.map(({ dValues }) => dValues)];
    return gradients.filter((tensor) => tensor !== undefined);
  }

  /** A group in a backward pass: with places for its gradients when it is trained. */
  function withGradients(group: Group, isTrained: boolean): Group {
    if (!isTrained) return group;
    return { ...group, dKeys: output(group.keys.shape), dValues: output(group.values.shape) };
  }

  function expectMatrices(tensors: Record<string, tf.TensorInfo>): void {
    for (const [name, tensor] of Object.entries(tensors)) expectRank('Pattention', name, tensor, 2);
  }

  return {
    Pattention: ({ x, keyParamTokens, valueParamTokens }, attributes) => {
      expectMatrices({ x, keyParamTokens, valueParamTokens });
      const scores = output([x.shape[0], keyParamTokens.shape[0]]);
      const group = { keys: keyParamTokens, values: valueParamTokens, scores, tau: attributes.tau };
      return [forward(x, [group], attributes), scores];
    },
    PattentionGrad: ({ dOutput, x, keyParamTokens, valueParamTokens, scores }, attributes) => {
      expectMatrices({ x, keyParamTokens, valueParamTokens });
      const group = { keys: keyParamTokens, values: valueParamTokens, scores, tau: attributes.tau };
      return backward(dOutput, x, [withGradients(group, attributes.wantParams)], attributes);
    },
    PattentionGroups: ({ x, keys, values }, attributes) => {
      const groups = attributes.taus.map((tau, i) => {
        const scores = output([x.shape[0], keys[i].shape[0]]);
        return { keys: keys[i], values: values[i], tau, scores };
      });
      return [forward(x, groups, attributes), ...groups.map(({ scores }) => scores)];
    },
    PattentionGroupsGrad: ({ dOutput, x, keys, values, scores }, attributes) => {
      const groups = attributes.taus.map((tau, i) =>
        withGradients({ keys: keys[i], values: values[i], scores: scores[i], tau }, attributes.trainable[i]),
      );
      return backward(dOutput, x, groups, attributes);
    },
  };
}
