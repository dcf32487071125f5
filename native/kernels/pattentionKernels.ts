import {
  type Attributes,
  expectRank,
  type KernelContext,
  type NativeKernel,
  type TensorInfo,
} from './kernelContext.js';

/** As src/kernels.h numbers them. */
export const WEIGHT_MODES = ['l2NormGelu', 'geluL2Norm', 'softmax'];

/** A group of parameter tokens with its scores, [tokens, numParamTokens], and which gradients are wanted of it. */
interface Group {
  readonly keys: TensorInfo;
  readonly values: TensorInfo;
  readonly scores: TensorInfo;
  readonly tau: number;
  readonly trainable: boolean;
}

/**
 * `Pattention` and `PattentionGrad`, as src/kernels/pattention defines them, and the same of several groups, as
 * src/kernels/pattentionGroups does: every group after the first adds to what the ones before it made.
 */
export function pattentionKernels({ addon, numbers, output }: KernelContext): Record<string, NativeKernel> {
  const settings = ({ normActivation, gelu, epsilon }: Attributes): (number | boolean)[] => {
    const mode = WEIGHT_MODES.indexOf(normActivation as string);
    if (mode < 0)
      throw new Error(`Pattention: expected normActivation ${WEIGHT_MODES.join(', ')}; got ${normActivation}`);
    return [mode, gelu === 'tanh', epsilon as number];
  };

  /** The output, [tokens, dOut]; writes the scores. */
  function forward(x: TensorInfo, groups: readonly Omit<Group, 'trainable'>[], attributes: Attributes): TensorInfo {
    const [tokens, dIn] = x.shape;
    const dOut = groups[0].values.shape[1];
    const result = output([tokens, dOut]);
    for (const [i, { keys, values, scores, tau }] of groups.entries()) {
      const tensors = [x, keys, values, result, scores].map(numbers);
      addon.pattention(tokens, dIn, keys.shape[0], dOut, ...settings(attributes), tau, i > 0, ...tensors);
    }
    return result;
  }

  /** dX if wanted, then dKeys, then dValues of the trainable groups. */
  function backward(
    dOutput: TensorInfo,
    x: TensorInfo,
    groups: readonly Group[],
    attributes: Attributes,
  ): TensorInfo[] {
    const [tokens, dIn] = x.shape;
    const dX = attributes.wantInput ? output([tokens, dIn]) : undefined;
    const dKeys = groups.map(({ keys, trainable }) => (trainable ? output(keys.shape) : undefined));
    const dValues = groups.map(({ values, trainable }) => (trainable ? output(values.shape) : undefined));
    for (const [i, { keys, values, scores, tau }] of groups.entries()) {
      const gradients = [dX, dKeys[i], dValues[i]].map((tensor) => tensor && numbers(tensor));
      if (gradients.every((wanted) => wanted === undefined)) continue;
      const [n, dOut] = values.shape;
      const tensors = [dOutput, x, keys, values, scores].map(numbers);
      addon.pattentionGradient(tokens, dIn, n, dOut, ...settings(attributes), tau, i > 0, ...tensors, ...gradients);
    }
    return [dX, ...dKeys, ...dValues].filter((tensor) => tensor !== undefined);
  }

  function expectMatrices(tensors: Record<string, TensorInfo>): void {
    for (const [name, tensor] of Object.entries(tensors)) expectRank('Pattention', name, tensor, 2);
  }

  return {
    Pattention: ({ x, keyParamTokens, valueParamTokens }, attributes) => {
      expectMatrices({ x, keyParamTokens, valueParamTokens });
      const scores = output([x.shape[0], keyParamTokens.shape[0]]);
      const group = { keys: keyParamTokens, values: valueParamTokens, scores, tau: attributes.tau as number };
      return [forward(x, [group], attributes), scores];
    },
    PattentionGrad: ({ dOutput, x, keyParamTokens, valueParamTokens, scores }, attributes) => {
      expectMatrices({ x, keyParamTokens, valueParamTokens });
      const [tau, trainable] = [attributes.tau as number, attributes.wantParams === true];
      const group = { keys: keyParamTokens, values: valueParamTokens, scores, tau, trainable };
      return backward(dOutput, x, [group], attributes);
    },
    PattentionGroups: (inputs, attributes) => {
      const [x, ...rest] = Object.values(inputs);
      const taus = attributes.taus as readonly number[];
      const groups = taus.map((tau, i) => {
        const [keys, values] = [rest[i], rest[taus.length + i]];
        return { keys, values, tau, scores: output([x.shape[0], keys.shape[0]]) };
      });
      return [forward(x, groups, attributes), ...groups.map(({ scores }) => scores)];
    },
    PattentionGroupsGrad: (inputs, attributes) => {
      const [dOutput, x, ...rest] = Object.values(inputs);
      const taus = attributes.taus as readonly number[];
      const trainable = attributes.trainable as readonly boolean[];
      const groups = taus.map((tau, i) => {
        const [keys, values, scores] = [0, 1, 2].map((part) => rest[part * taus.length + i]);
        return { keys, values, scores, tau, trainable: trainable[i] };
      });
      return backward(dOutput, x, groups, attributes);
    },
  };
}
