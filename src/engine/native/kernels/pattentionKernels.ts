import type { FusedKernelFunctions, NormActivationAttributes, tf } from '../../shared/index.js';
import type { NumberArray } from '../addon.js';
import { NORM_ACTIVATIONS } from './fusedKernels.js';
import { expectRank, type KernelContext } from './kernelContext.js';

/** A group of parameter tokens: keys [n, dIn], values [n, dOut]. */
export interface ParamTokens {
  readonly keys: tf.TensorInfo;
  readonly values: tf.TensorInfo;
  readonly tau: number;
}

/** What a group reads, [tokens, dIn], and its scores, [tokens, n]. */
interface Read {
  readonly tokens: number;
  readonly dIn: number;
  readonly x: NumberArray;
  readonly scores: NumberArray;
}

/** The gradients that are wanted. */
interface Wanted {
  readonly dX: NumberArray | undefined;
  readonly dKeys: tf.TensorInfo | undefined;
  readonly dValues: tf.TensorInfo | undefined;
}

/** The compiled functions for one group, under one setting; with `add` they add to Y, and to dX. */
export interface PattentionCalls {
  forward(group: ParamTokens, read: Read, y: NumberArray, add: boolean): void;
  backward(group: ParamTokens, read: Read, dY: NumberArray, wanted: Wanted, add: boolean): void;
}

export function pattentionCalls(
  { addon, numbers }: Pick<KernelContext, 'addon' | 'numbers'>,
  { normActivation, gelu, epsilon }: NormActivationAttributes,
): PattentionCalls {
  const math = [NORM_ACTIVATIONS.indexOf(normActivation), gelu === 'tanh', epsilon];
  const settings = ({ keys, values, tau }: ParamTokens, { tokens, dIn }: Read, add: boolean) =>
    [tokens, dIn, keys.shape[0], values.shape[1], ...math, tau, add] as const;
  return {
    forward: (group, read, y, add) =>
      addon.pattention(
        ...settings(group, read, add),
        read.x,
        numbers(group.keys),
        numbers(group.values),
        y,
        read.scores,
      ),
    backward: (group, read, dY, { dX, dKeys, dValues }, add) => {
      if (!dX && !dKeys && !dValues) return;
      const arrays = [dY, read.x, numbers(group.keys), numbers(group.values), read.scores];
      const gradients = [dX, dKeys && numbers(dKeys), dValues && numbers(dValues)];
      addon.pattentionGradient(...settings(group, read, add), ...arrays, ...gradients);
    },
  };
}

/** What every kernel that only goes forward takes first. */
function settingsOf(
  x: tf.TensorInfo,
  values: tf.TensorInfo,
  { normActivation, gelu, epsilon, tau }: NormActivationAttributes & { readonly tau: number },
) {
  const math = [NORM_ACTIVATIONS.indexOf(normActivation), gelu === 'tanh', epsilon, tau] as const;
  return [...x.shape, ...values.shape, ...math];
}

/** A group with its scores, [tokens, n]. */
interface Group extends ParamTokens {
  readonly scores: tf.TensorInfo;
}

/**
 * `Pattention` and `PattentionGrad`, as src/kernels/pattention defines them, and the same of several groups, as
 * src/kernels/pattention/pattentionGroups.ts does: every group after the first adds to the output of those before it.
 */
export function pattentionKernels(
  context: KernelContext,
): FusedKernelFunctions<
  | 'Pattention'
  | 'PattentionGrad'
  | 'PattentionGroups'
  | 'PattentionGroupsGrad'
  | 'SparsePattention'
  | 'RoutedPattention'
> {
  const { addon, numbers, output } = context;
  const readOf = (x: tf.TensorInfo, { scores }: Group): Read => ({
    tokens: x.shape[0],
    dIn: x.shape[1],
    x: numbers(x),
    scores: numbers(scores),
  });

  /** The output, [tokens, dOut]; writes the scores. */
  function forward(x: tf.TensorInfo, groups: readonly Group[], attributes: NormActivationAttributes): tf.TensorInfo {
    const [tokens] = x.shape;
    const result = output([tokens, groups[0].values.shape[1]]);
    const calls = pattentionCalls(context, attributes);
    for (const [i, group] of groups.entries()) calls.forward(group, readOf(x, group), numbers(result), i > 0);
    return result;
  }

  /** dX if wanted, then dKeys, then dValues of the trainable groups. */
  function backward(
    dOutput: tf.TensorInfo,
    x: tf.TensorInfo,
    groups: readonly (Group & { readonly trainable: boolean })[],
    attributes: NormActivationAttributes & { readonly wantInput: boolean },
  ): tf.TensorInfo[] {
    const dX = attributes.wantInput ? output(x.shape) : undefined;
    const dKeys = groups.map(({ keys, trainable }) => (trainable ? output(keys.shape) : undefined));
    const dValues = groups.map(({ values, trainable }) => (trainable ? output(values.shape) : undefined));
    const calls = pattentionCalls(context, attributes);
    for (const [i, group] of groups.entries()) {
      const wanted = { dX: dX && numbers(dX), dKeys: dKeys[i], dValues: dValues[i] };
      calls.backward(group, readOf(x, group), numbers(dOutput), wanted, i > 0);
    }
    return [dX, ...dKeys, ...dValues].filter((tensor) => tensor !== undefined);
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
      const { tau, wantParams: trainable } = attributes;
      const group = { keys: keyParamTokens, values: valueParamTokens, scores, tau, trainable };
      return backward(dOutput, x, [group], attributes);
    },
    PattentionGroups: ({ x, keys, values }, attributes) => {
      const groups = attributes.taus.map((tau, i) => {
        const scores = output([x.shape[0], keys[i].shape[0]]);
        return { keys: keys[i], values: values[i], tau, scores };
      });
      return [forward(x, groups, attributes), ...groups.map(({ scores }) => scores)];
    },
    PattentionGroupsGrad: ({ dOutput, x, keys, values, scores }, attributes) => {
      const groups = attributes.taus.map((tau, i) => {
        const trainable = attributes.trainable[i];
        return { keys: keys[i], values: values[i], scores: scores[i], tau, trainable };
      });
      return backward(dOutput, x, groups, attributes);
    },
    SparsePattention: ({ x, keyParamTokens, valueParamTokens }, attributes) => {
      expectMatrices({ x, keyParamTokens, valueParamTokens });
      const result = output([x.shape[0], valueParamTokens.shape[1]]);
      const arrays = [x, keyParamTokens, valueParamTokens, result].map(numbers);
      addon.sparsePattention(...settingsOf(x, valueParamTokens, attributes), attributes.strongest, ...arrays);
      return [result];
    },
    RoutedPattention: ({ x, keyParamTokens, valueParamTokens, guidance }, attributes) => {
      expectMatrices({ x, keyParamTokens, valueParamTokens, guidance });
      const { best, starts } = attributes;
      const result = output([x.shape[0], valueParamTokens.shape[1]]);
      const arrays = [x, keyParamTokens, valueParamTokens, guidance].map(numbers);
      const settings = settingsOf(x, valueParamTokens, attributes);
      addon.routedPattention(...settings, starts.length - 1, best, ...arrays, starts, numbers(result));
      return [result];
    },
  };
}
