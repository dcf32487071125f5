import type { KernelContext, NativeKernel, TensorInfo } from './kernelContext.js';
import { type PattentionCalls, pattentionCalls } from './pattentionKernels.js';
import { rotaryTables } from './rotaryKernel.js';

/** A group of parameter tokens and its place among all groups of the block. */
interface Group {
  readonly place: number;
  readonly keys: TensorInfo;
  readonly values: TensorInfo;
  readonly tau: number;
}

const BYTES = 4;

/**
 * `TokenFormerBlock` and `TokenFormerBlockGrad`, as src/tokenformer/fusedBlock defines them: the calls that the operations
 * of a block make, without a tensor of TensorFlow.js between them. The first one's further results are LN(x) and its
 * inverse deviation, q, all keys, all values, the attention's output and log-sum-exp, LN of the middle and its inverse
 * deviation, and the scores of every group.
 */
export function blockKernels(context: KernelContext): Record<string, NativeKernel> {
  const { addon, backend, numbers, output } = context;
  const tables = rotaryTables();

  const release = (...tensors: (TensorInfo | undefined)[]): void => {
    for (const tensor of tensors) if (tensor !== undefined) backend.disposeData(tensor.dataId);
  };

  /** Copies `rows` runs of `width` numbers, from `place` in runs of `stride` to `toPlace` in runs of `toStride`. */
  const copy = (
    from: TensorInfo,
    to: TensorInfo,
    [rows, width]: readonly [number, number],
    [place, stride]: readonly [number, number] = [0, width],
    [toPlace, toStride]: readonly [number, number] = [0, width],
  ): void => {
    const bytes = [width, place, stride, toPlace, toStride].map((count) => count * BYTES);
    addon.copyRows(rows, ...bytes, numbers(from), numbers(to));
  };

  /** The groups of each layer, and the other inputs in their order. */
  function layersOf(inputs: readonly TensorInfo[], attributes: Readonly<Record<string, unknown>>) {
    const { taus, groupsOfLayers } = attributes as Record<string, readonly number[]>;
    const groups = taus.map(
      (tau, place): Group => ({
        place,
        tau,
        keys: inputs[place],
        values: inputs[taus.length + place],
      }),
    );
    let first = 0;
    const layers = groupsOfLayers.map((count) => {
      first += count;
      return groups.slice(first - count, first);
    });
    return { groups, layers, others: inputs.slice(2 * taus.length) };
  }

  return {
    TokenFormerBlock: (inputs, attributes) => {
      const [x, ...rest] = Object.values(inputs);
      const { groups, layers, others } = layersOf(rest, attributes);
      const [query, key, value, out, contextOut, ffn] = layers;
      const [contextKeys, contextValues] = others;
      const { numHeads, prefixLen, contextLen, rotaryDims, rotaryBase, layerNormEpsilon } = attributes as Record<
        string,
        number
      >;
      const [batch, seqLen, width] = x.shape;
      const tokens = batch * seqLen;
      const keyLen = contextLen + seqLen;
      const scores = groups.map(({ keys }) => output([tokens, keys.shape[0]]));
      const calls: PattentionCalls = pattentionCalls(context, attributes);
      const layer = (of: readonly Group[], from: TensorInfo, to: TensorInfo, add: boolean, row = 0): void => {
        for (const [i, { place, keys, values, tau }] of of.entries())
          calls.forward({ x: from, keys, values, scores: scores[place], tau }, to, add || i > 0, tokens, row);
      };
      const normalize = (from: TensorInfo): [TensorInfo, TensorInfo] => {
        const results: [TensorInfo, TensorInfo] = [output([tokens, width]), output([tokens, 1])];
        addon.layerNormalize(tokens, width, layerNormEpsilon, ...[from, ...results].map(numbers));
        return results;
      };
      const turn = (tensor: TensorInfo): void => {
        if (rotaryDims === 0) return;
        const table = tables(seqLen, rotaryDims / 2, 0, rotaryBase, 1);
        const turned = numbers(tensor);
        addon.rotary(batch, seqLen, numHeads, width / numHeads, rotaryDims / 2, turned, turned, table);
      };
      /** Own rows behind the context's, batch by batch. */
      const join = (before: TensorInfo | undefined, own: TensorInfo): TensorInfo => {
        if (before === undefined) return own;
        const all = output([batch, keyLen, width]);
        const stride = keyLen * width;
        copy(before, all, [batch, contextLen * width], undefined, [0, stride]);
        copy(own, all, [batch, seqLen * width], undefined, [contextLen * width, stride]);
        release(own);
        return all;
      };

      const [h, deviation] = normalize(x);
      const [q, ownKeys, ownValues] = [query, key, value].map((of) => {
        const result = output([batch, seqLen, width]);
        layer(of, h, result, false);
        return result;
      });
      turn(q);
      turn(ownKeys);
      const keys = join(contextKeys, ownKeys);
      const values = join(contextValues, ownValues);
      const attended = output([contextLen > 0 ? 2 : 1, batch, seqLen, width]);
      const logSumExp = output([batch, numHeads, seqLen]);
      const sizes = [batch, seqLen, keyLen, numHeads, width / numHeads, prefixLen, contextLen, false];
      const tensors = [q, keys, values].map(numbers);
      addon.attention(...sizes, ...tensors, undefined, numbers(attended), numbers(logSumExp));
      const middle = output([tokens, width]);
      copy(x, middle, [1, tokens * width]);
      layer(out, attended, middle, true);
      layer(contextOut, attended, middle, true, tokens);
      const [h2, deviation2] = normalize(middle);
      const hidden = output(x.shape);
      copy(middle, hidden, [1, tokens * width]);
      layer(ffn, h2, hidden, true);
      release(middle);
      const saved = [h, deviation, q, keys, values, attended, logSumExp, h2, deviation2, ...scores];
      if (attributes.recording) return [hidden, ...saved];
      release(...saved);
      return [hidden];
    },

    TokenFormerBlockGrad: (inputs, attributes) => {
      const [dHidden, ...rest] = Object.values(inputs);
      const { groups, layers, others } = layersOf(rest, attributes);
      const [query, key, value, out, contextOut, ffn] = layers;
      const [h, deviation, q, keys, values, attended, logSumExp, h2, deviation2, ...scores] = others;
      const { numHeads, prefixLen, contextLen, rotaryDims, rotaryBase } = attributes as Record<string, number>;
      const trainable = attributes.trainable as readonly boolean[];
      const [batch, seqLen, width] = dHidden.shape;
      const tokens = batch * seqLen;
      const keyLen = contextLen + seqLen;
      const dKeyParams = groups.map((group, i) => (trainable[i] ? output(group.keys.shape) : undefined));
      const dValueParams = groups.map((group, i) => (trainable[i] ? output(group.values.shape) : undefined));
      const calls = pattentionCalls(context, attributes);
      /** Adds up dX over the groups of a layer, from scratch unless `add`. */
      const layer = (of: readonly Group[], dY: TensorInfo, x: TensorInfo, dX: TensorInfo, add: boolean, row = 0) => {
        for (const [i, { place, ...group }] of of.entries()) {
          const wanted = { dX, dKeys: dKeyParams[place], dValues: dValueParams[place] };
          calls.backward({ x, ...group, scores: scores[place] }, dY, wanted, add || i > 0, tokens, row);
        }
      };
      const addNormGradient = (dY: TensorInfo, y: TensorInfo, inverse: TensorInfo): void =>
        addon.layerNormalizeGradient(tokens, width, true, ...[dY, y, inverse, dX].map(numbers));
      const turnBack = (tensor: TensorInfo): void => {
        if (rotaryDims === 0) return;
        const table = tables(seqLen, rotaryDims / 2, 0, rotaryBase, -1);
        const turned = numbers(tensor);
        addon.rotary(batch, seqLen, numHeads, width / numHeads, rotaryDims / 2, turned, turned, table);
      };
      /** The own rows of a gradient of all keys or values, and the context's; `all` is released where they are parted. */
      const part = (all: TensorInfo): [own: TensorInfo, ofContext: TensorInfo | undefined] => {
        if (contextLen === 0) return [all, undefined];
        const [own, ofContext] = [output([batch, seqLen, width]), output([batch, contextLen, width])];
        const stride = keyLen * width;
        copy(all, ofContext, [batch, contextLen * width], [0, stride]);
        copy(all, own, [batch, seqLen * width], [contextLen * width, stride]);
        release(all);
        return [own, ofContext];
      };

      // The residual stream's gradient goes straight through: dX starts as dHidden, and each branch adds to it.
      const dX = output(dHidden.shape);
      copy(dHidden, dX, [1, tokens * width]);
      const dH = output([tokens, width]);
      layer(ffn, dHidden, h2, dH, false);
      addNormGradient(dH, h2, deviation2);
      const dAttended = output(attended.shape);
      layer(out, dX, attended, dAttended, false);
      if (contextOut.length > 0) layer(contextOut, dX, attended, dAttended, false, tokens);
      else if (contextLen > 0) numbers(dAttended).fill(0, tokens * width);
      const [dQ, dKeys, dValues] = [q, keys, values].map(({ shape }) => output(shape));
      const sizes = [batch, seqLen, keyLen, numHeads, width / numHeads, prefixLen, contextLen, false];
      const tensors = [attended, logSumExp, dAttended, dQ, dKeys, dValues].map(numbers);
      addon.attentionGradient(...sizes, ...[q, keys, values].map(numbers), undefined, ...tensors);
      const [dOwnKeys, dContextKeys] = part(dKeys);
      const [dOwnValues, dContextValues] = part(dValues);
      turnBack(dQ);
      turnBack(dOwnKeys);
      layer(query, dQ, h, dH, false);
      layer(key, dOwnKeys, h, dH, true);
      layer(value, dOwnValues, h, dH, true);
      addNormGradient(dH, h, deviation);
      release(dH, dAttended, dQ, dOwnKeys, dOwnValues);
      const wanted = [dX, ...dKeyParams, ...dValueParams, dContextKeys, dContextValues];
      return wanted.filter((tensor) => tensor !== undefined);
    },
  };
}
