import type { FusedBlockAttributes, FusedKernelFunctions, tf } from '../../shared/index.js';
import { rotaryTables } from '../../shared/index.js';
import type { NumberArray } from '../addon.js';
import type { KernelContext } from './kernelContext.js';
import { type ParamTokens, pattentionCalls } from './pattentionKernels.js';

/** A group and its place among all groups of the block. */
interface Group extends ParamTokens {
  readonly place: number;
}

const BYTES = 4;
/** Numbers per cache line: every array in the shared tensor starts at one. */
const LINE = 16;
/** From this share of padding on, packing the other tokens pays off. */
const WORTH_MOVING = 1 / 8;

/**
 * `TokenFormerBlock` and `TokenFormerBlockGrad`, as src/tokenformer/fusedBlock defines them: the calls that the operations
 * of a block make, without TensorFlow.js tensors in between. What the first saves for the second is in one tensor:
 * LN(x) and its inverse deviation, q, all keys, all values, what attention gave and its log-sum-exp, LN of the middle and
 * its inverse deviation, and the scores of every group. Where enough of the tokens are padding, all but attention works on the
 * others alone, packed together.
 */
export function blockKernels(
  context: KernelContext,
): FusedKernelFunctions<'TokenFormerBlock' | 'TokenFormerBlockGrad'> {
  const { addon, backend, numbers, output } = context;
  const tables = rotaryTables();

  /** The sizes of a pass, and the groups of each layer. */
  function read(
    keys: readonly tf.TensorInfo[],
    values: readonly tf.TensorInfo[],
    [batch, seqLen, width]: readonly number[],
    attributes: FusedBlockAttributes,
  ) {
    const { taus, groupsOfLayers, numHeads, prefixLen, contextLen, rotaryDims, rotaryBase, lengths } = attributes;
    const groups = taus.map((tau, place): Group => ({ place, tau, keys: keys[place], values: values[place] }));
    let first = 0;
    const layers = groupsOfLayers.map((count) => {
      first += count;
      return groups.slice(first - count, first);
    });
    const counted = lengths?.reduce((sum, length) => sum + length, 0) ?? batch * seqLen;
    const isRagged = counted <= batch * seqLen * (1 - WORTH_MOVING);
    /** Rows of everything except attention. */
    const tokens = isRagged ? counted : batch * seqLen;
    const places = batch * seqLen;
    const keyLen = contextLen + seqLen;
    const half = rotaryDims / 2;
    const rotate = (rows: NumberArray, direction: 1 | -1): void => {
      if (half === 0) return;
      const table = tables(seqLen, half, 0, rotaryBase, direction);
      addon.rotary(batch, seqLen, numHeads, width / numHeads, half, rows, rows, table);
    };
    /** Packs the rows that count, or unpacks them with 0 at padding. */
    const move = (way: 'packRows' | 'unpackRows', all: NumberArray, rows: NumberArray): void =>
      addon[way](batch, seqLen, width, lengths, all, rows);
    const savedSizes = [
      ...[tokens * width, tokens, places * width], // h, its inverse deviation, q
      ...[batch * keyLen * width, batch * keyLen * width], // keys, values
      ...[(contextLen > 0 ? 2 : 1) * places * width, batch * numHeads * seqLen], // attended, log-sum-exp
      ...[tokens * width, tokens], // LN of the middle, its inverse deviation
      ...groups.map(({ keys }) => tokens * keys.shape[0]),
    ];
    return {
      ...{ groups, layers, rotate, savedSizes },
      ...{ batch, seqLen, width, tokens, places, keyLen, contextLen, isRagged, move },
      attention: [batch, seqLen, keyLen, numHeads, width / numHeads, prefixLen, contextLen, false],
    };
  }

  const roundUp = (size: number): number => Math.ceil(size / LINE) * LINE;
  const memoryFor = (sizes: readonly number[]): tf.TensorInfo =>
    output([sizes.reduce((sum, size) => sum + roundUp(size), 0)]);
  /** Arrays of those sizes that share the memory of one tensor. */
  const arraysIn = (memory: tf.TensorInfo, sizes: readonly number[]): NumberArray[] => {
    const all = numbers(memory);
    let place = 0;
    return sizes.map((size) => {
      const start = place;
      place += roundUp(size);
      return all.subarray(start, start + size);
    });
  };
  const release = (memory: tf.TensorInfo): void => void backend.disposeData(memory.dataId);

  /** Copies `rows` runs of `width` numbers; `[place, stride]` of the runs in each array. */
  const copyRuns = (
    [rows, width]: readonly [number, number],
    from: NumberArray,
    [fromPlace, fromStride]: readonly [number, number],
    to: NumberArray,
    [toPlace, toStride]: readonly [number, number],
  ): void => {
    const bytes = [width, fromPlace, fromStride, toPlace, toStride].map((count) => count * BYTES);
    addon.copyRows(rows, ...bytes, from, to);
  };

  return {
    TokenFormerBlock: ({ x, keys: groupKeys, values: groupValues, contextKeys, contextValues }, attributes) => {
      const sizes = read(groupKeys, groupValues, x.shape, attributes);
      const { batch, seqLen, width, tokens, places, keyLen, contextLen, rotate, isRagged, move } = sizes;
      const [query, key, value, out, contextOut, ffn] = sizes.layers;
      const hidden = output(x.shape);
      const saved = memoryFor(sizes.savedSizes);
      const [h, deviation, q, keys, values, attended, logSumExp, h2, deviation2, ...scores] = arraysIn(
        saved,
        sizes.savedSizes,
      );
      const [rowSize, placeSize] = [tokens * width, places * width];
      const temporarySizes = [contextLen > 0 ? placeSize : 0, ...(isRagged ? [rowSize, rowSize] : [0, 0])];
      const temporary = memoryFor(temporarySizes);
      const [own, moved, streamRows] = arraysIn(temporary, temporarySizes);
      const stream = isRagged ? streamRows : numbers(hidden);
      const calls = pattentionCalls(context, attributes);
      const layer = (groups: readonly Group[], from: NumberArray, to: NumberArray, add: boolean): void => {
        for (const [i, group] of groups.entries())
          calls.forward(group, { tokens, dIn: width, x: from, scores: scores[group.place] }, to, add || i > 0);
      };
      const normalize = (from: NumberArray, to: NumberArray, inverse: NumberArray): void =>
        addon.layerNormalize(tokens, width, attributes.layerNormEpsilon, from, to, inverse);
      /** A layer of h, at all places. */
      const project = (groups: readonly Group[], to: NumberArray): void => {
        layer(groups, h, isRagged ? moved : to, false);
        if (isRagged) move('unpackRows', to, moved);
      };
      /** The same, behind the context's rows in every batch. */
      const projectOwn = (
        groups: readonly Group[],
        rotated: boolean,
        all: NumberArray,
        before?: tf.TensorInfo,
      ): void => {
        const to = before ? own : all;
        project(groups, to);
        if (rotated) rotate(to, 1);
        if (before === undefined) return;
        const [contextRun, ownRun, stride] = [contextLen * width, seqLen * width, keyLen * width];
        copyRuns([batch, contextRun], numbers(before), [0, contextRun], all, [0, stride]);
        copyRuns([batch, ownRun], own, [0, ownRun], all, [contextRun, stride]);
      };
      /** Adds a layer of the attention output to the residual stream. */
      const addAttended = (groups: readonly Group[], all: NumberArray): void => {
        if (groups.length === 0) return;
        if (isRagged) move('packRows', all, moved);
        layer(groups, isRagged ? moved : all, stream, true);
      };

      if (isRagged) move('packRows', numbers(x), stream);
      else stream.set(numbers(x));
      normalize(stream, h, deviation);
      project(query, q);
      rotate(q, 1);
      projectOwn(key, true, keys, contextKeys);
      projectOwn(value, false, values, contextValues);
      addon.attention(...sizes.attention, q, keys, values, undefined, attended, logSumExp);
      addAttended(out, attended.subarray(0, placeSize));
      addAttended(contextOut, attended.subarray(placeSize));
      normalize(stream, h2, deviation2);
      layer(ffn, h2, stream, true);
      if (isRagged) move('unpackRows', numbers(hidden), stream);
      release(temporary);
      if (attributes.recording) return [hidden, saved];
      release(saved);
      return [hidden];
    },

    TokenFormerBlockGrad: ({ dHidden, keys: groupKeys, values: groupValues, saved }, attributes) => {
      const sizes = read(groupKeys, groupValues, dHidden.shape, attributes);
      const { batch, seqLen, width, tokens, places, keyLen, contextLen, rotate, groups, isRagged, move } = sizes;
      const [query, key, value, out, contextOut, ffn] = sizes.layers;
      const [h, deviation, q, keys, values, attended, logSumExp, h2, deviation2, ...scores] = arraysIn(
        saved,
        sizes.savedSizes,
      );
      const { trainable } = attributes;
      const dX = output(dHidden.shape);
      const dKeyParams = groups.map((group, i) => (trainable[i] ? output(group.keys.shape) : undefined));
      const dValueParams = groups.map((group, i) => (trainable[i] ? output(group.values.shape) : undefined));
      const [rowSize, placeSize] = [tokens * width, places * width];
      const temporarySizes = [
        ...[rowSize, attended.length, q.length, keys.length, values.length],
        ...[contextLen > 0 ? placeSize : 0, ...(isRagged ? [rowSize, rowSize] : [0, 0])],
      ];
      const temporary = memoryFor(temporarySizes);
      const [dH, dAttended, dQ, dKeys, dValues, own, moved, streamRows] = arraysIn(temporary, temporarySizes);
      const stream = isRagged ? streamRows : numbers(dX);
      const calls = pattentionCalls(context, attributes);
      /** Writes to `to` or, with `add`, adds to it the input gradient of a layer's groups from dY. */
      const layer = (of: readonly Group[], dY: NumberArray, x: NumberArray, to: NumberArray, add: boolean): void => {
        for (const [i, group] of of.entries()) {
          const wanted = { dX: to, dKeys: dKeyParams[group.place], dValues: dValueParams[group.place] };
          calls.backward(group, { tokens, dIn: width, x, scores: scores[group.place] }, dY, wanted, add || i > 0);
        }
      };
      const addNormGradient = (y: NumberArray, inverse: NumberArray): void =>
        addon.layerNormalizeGradient(tokens, width, true, dH, y, inverse, stream);
      /** The own tokens' rows of a gradient of all keys or values, and a tensor of the context's. */
      const part = (all: NumberArray): [own: NumberArray, ofContext: tf.TensorInfo | undefined] => {
        if (contextLen === 0) return [all, undefined];
        const ofContext = output([batch, contextLen, width]);
        const [context, ownRun, stride] = [contextLen * width, seqLen * width, keyLen * width];
        copyRuns([batch, context], all, [0, stride], numbers(ofContext), [0, context]);
        copyRuns([batch, ownRun], all, [context, stride], own, [0, ownRun]);
        return [own, ofContext];
      };

      /** The rows that count. */
      const rowsOf = (all: NumberArray): NumberArray => {
        if (!isRagged) return all;
        move('packRows', all, moved);
        return moved;
      };
      /** The gradient of the attention output from that of the stream. */
      const attendedGradient = (groups: readonly Group[], all: NumberArray, dAll: NumberArray): void => {
        if (groups.length === 0) return void dAll.fill(0);
        layer(groups, stream, rowsOf(all), isRagged ? dH : dAll, false);
        if (isRagged) move('unpackRows', dAll, dH);
      };

      // The residual stream's gradient passes through: it starts as dHidden, and each branch adds to it.
      if (isRagged) move('packRows', numbers(dHidden), stream);
      else stream.set(numbers(dHidden));
      layer(ffn, stream, h2, dH, false);
      addNormGradient(h2, deviation2);
      attendedGradient(out, attended.subarray(0, placeSize), dAttended.subarray(0, placeSize));
      if (contextLen > 0) attendedGradient(contextOut, attended.subarray(placeSize), dAttended.subarray(placeSize));
      const results = [attended, logSumExp, dAttended, dQ, dKeys, dValues];
      addon.attentionGradient(...sizes.attention, q, keys, values, undefined, ...results);
      rotate(dQ, -1);
      layer(query, rowsOf(dQ), h, dH, false);
      const [dOwnKeys, dContextKeys] = part(dKeys);
      rotate(dOwnKeys, -1);
      layer(key, rowsOf(dOwnKeys), h, dH, true);
      const [dOwnValues, dContextValues] = part(dValues);
      layer(value, rowsOf(dOwnValues), h, dH, true);
      addNormGradient(h, deviation);
      if (isRagged) move('unpackRows', numbers(dX), stream);
      release(temporary);
      const wanted = [dX, ...dKeyParams, ...dValueParams, dContextKeys, dContextValues];
      return wanted.filter((tensor) => tensor !== undefined);
    },
  };
}
