import type { NumberArray } from '../memoryPool.js';
import {
  type Attributes,
  expectRank,
  type KernelContext,
  type NativeKernel,
  type TensorInfo,
} from './kernelContext.js';

/** As src/kernels.h numbers them. */
export const WEIGHT_MODES = ['l2NormGelu', 'geluL2Norm', 'softmax'];

/** A group of parameter tokens with its scores, [tokens, numParamTokens]. */
interface Group {
  readonly keys: TensorInfo;
  readonly values: TensorInfo;
  readonly scores: TensorInfo;
  readonly tau: number;
}

/** What one group reads: `tokens` rows of x. */
interface GroupInput extends Group {
  readonly x: TensorInfo;
}

/** The compiled functions for one group, under one setting; with `add` they add to the output, and to dX. */
export interface PattentionCalls {
  /** @param row the first row of x */
  forward(group: GroupInput, y: TensorInfo, add: boolean, tokens: number, row?: number): void;
  /** @param row the first row of x and of dX */
  backward(
    group: GroupInput,
    dY: TensorInfo,
    wanted: { readonly dX?: TensorInfo; readonly dKeys?: TensorInfo; readonly dValues?: TensorInfo },
    add: boolean,
    tokens: number,
    row?: number,
  ): void;
}

export function pattentionCalls(
  { addon, numbers }: Pick<KernelContext, 'addon' | 'numbers'>,
  { normActivation, gelu, epsilon }: Attributes,
): PattentionCalls {
  const mode = WEIGHT_MODES.indexOf(normActivation as string);
  if (mode < 0)
    throw new Error(`Pattention: expected normActivation ${WEIGHT_MODES.join(', ')}; got ${normActivation}`);
  const settings = [mode, gelu === 'tanh', epsilon as number];
  const rowsOf = (tensor: TensorInfo, row: number, tokens: number): NumberArray => {
    const all = numbers(tensor);
    const width = tensor.shape.at(-1) as number;
    return all.length === tokens * width ? all : all.subarray(row * width, (row + tokens) * width);
  };
  return {
    forward: ({ x, keys, values, scores, tau }, y, add, tokens, row = 0) => {
      const [[n, dIn], [, dOut]] = [keys.shape, values.shape];
      const tensors = [keys, values, y, scores].map(numbers);
      addon.pattention(tokens, dIn, n, dOut, ...settings, tau, add, rowsOf(x, row, tokens), ...tensors);
    },
    backward: ({ x, keys, values, scores, tau }, dY, { dX, dKeys, dValues }, add, tokens, row = 0) => {
      const [[n, dIn], [, dOut]] = [keys.shape, values.shape];
      const gradients = [dX && rowsOf(dX, row, tokens), dKeys && numbers(dKeys), dValues && numbers(dValues)];
      if (gradients.every((wanted) => wanted === undefined)) return;
      const tensors = [numbers(dY), rowsOf(x, row, tokens), ...[keys, values, scores].map(numbers)];
      addon.pattentionGradient(tokens, dIn, n, dOut, ...settings, tau, add, ...tensors, ...gradients);
    },
  };
}

/**
 * `Pattention` and `PattentionGrad`, as src/kernels/pattention defines them, and the same of several groups, as
 * src/kernels/pattentionGroups does: every group after the first adds to what the ones before it made.
 */
export function pattentionKernels(context: KernelContext): Record<string, NativeKernel> {
  const { output } = context;

  /** The output, [tokens, dOut]; writes the scores. */
  function forward(x: TensorInfo, groups: readonly Group[], attributes: Attributes): TensorInfo {
    const [tokens] = x.shape;
    const result = output([tokens, groups[0].values.shape[1]]);
    const calls = pattentionCalls(context, attributes);
    for (const [i, group] of groups.entries()) calls.forward({ x, ...group }, result, i > 0, tokens);
    return result;
  }

  /** dX if wanted, then dKeys, then dValues of the trainable groups. */
  function backward(
    dOutput: TensorInfo,
    x: TensorInfo,
    groups: readonly (Group & { readonly trainable: boolean })[],
    attributes: Attributes,
  ): TensorInfo[] {
    const dX = attributes.wantInput ? output(x.shape) : undefined;
    const dKeys = groups.map(({ keys, trainable }) => (trainable ? output(keys.shape) : undefined));
    const dValues = groups.map(({ values, trainable }) => (trainable ? output(values.shape) : undefined));
    const calls = pattentionCalls(context, attributes);
    for (const [i, group] of groups.entries()) {
      const wanted = { dX, dKeys: dKeys[i], dValues: dValues[i] };
      calls.backward({ x, ...group }, dOutput, wanted, i > 0, x.shape[0]);
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
