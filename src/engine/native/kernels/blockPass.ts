import { rotaryTables, type tf } from '../../shared/index.js';
import type { NumberArray } from '../addon.js';
import { gatedContext } from './gatedContext.js';
import type { KernelContext } from './kernelContext.js';

/** The shape and the attention of a block, whatever its layers are. */
export interface BlockShape {
  readonly numHeads: number;
  readonly rotaryDims: number;
  readonly rotaryBase: number;
  readonly layerNormEpsilon: number;
  readonly prefixLen: number;
  readonly contextLen: number;
  /** Whether the context is behind a gate per head. */
  readonly gated: boolean;
  /** Tokens of each sequence that count; the states of the others are 0. */
  readonly lengths?: Int32Array;
}

/** A layer, [tokens, dModel] → [tokens, dModel]; with `add` it adds to Y, and to dX. */
export interface BlockLayer {
  /** Sizes of the arrays that the forward pass writes for the backward pass. */
  savedSizes(tokens: number): readonly number[];
  forward(tokens: number, x: NumberArray, saved: readonly NumberArray[], y: NumberArray, add: boolean): void;
  /** Writes the gradients of its parameters too, once. */
  backward(
    tokens: number,
    dY: NumberArray,
    x: NumberArray,
    saved: readonly NumberArray[],
    dX: NumberArray,
    add: boolean,
  ): void;
}

/** The layers of a block; `contextOutput` reads the context's part of what attention gave. */
export interface BlockLayerSet {
  readonly query: BlockLayer;
  readonly key: BlockLayer;
  readonly value: BlockLayer;
  readonly output: BlockLayer;
  readonly contextOutput?: BlockLayer;
  readonly ffn: BlockLayer;
}

/** Keys and values of another stream's tokens, [batch, contextLen, dModel], and their gate, [numHeads]. */
interface ContextStates {
  readonly contextKeys?: tf.TensorInfo;
  readonly contextValues?: tf.TensorInfo;
  readonly contextGate?: tf.TensorInfo;
}

const LAYERS = ['query', 'key', 'value', 'output', 'contextOutput', 'ffn'] as const;
type LayerName = (typeof LAYERS)[number];

const BYTES = 4;
/** Numbers per cache line: every array in the shared tensor starts at one. */
const LINE = 16;
/** From this share of padding on, packing the other tokens pays off. */
const WORTH_MOVING = 1 / 8;

export interface BlockPasses {
  forward(
    x: tf.TensorInfo,
    layers: BlockLayerSet,
    shape: BlockShape,
    recording: boolean,
    context?: ContextStates,
  ): [hidden: tf.TensorInfo] | [hidden: tf.TensorInfo, saved: tf.TensorInfo];
  backward(
    dHidden: tf.TensorInfo,
    saved: tf.TensorInfo,
    layers: BlockLayerSet,
    shape: BlockShape,
  ): { dX: tf.TensorInfo } & Partial<Record<'dContextKeys' | 'dContextValues' | 'dContextGate', tf.TensorInfo>>;
}

/**
 * Both passes of a pre-norm block around its layers: the calls that the operations of a block make, without TensorFlow.js
 * tensors in between. What the first saves for the second is in one tensor: LN(x) and its inverse deviation, q, all keys, all
 * values, what attention gave and its log-sum-exp, LN of the middle and its inverse deviation, and what each layer saves. Where
 * enough of the tokens are padding, all but attention works on the others alone, packed together.
 */
export function blockPasses(context: KernelContext): BlockPasses {
  const { addon, backend, numbers, output } = context;
  const tables = rotaryTables();

  /** The sizes of a pass. */
  function read([batch, seqLen, width]: readonly number[], layers: BlockLayerSet, shape: BlockShape) {
    const { numHeads, prefixLen, contextLen, rotaryDims, rotaryBase, lengths } = shape;
    const counted = lengths?.reduce((sum, length) => sum + length, 0) ?? batch * seqLen;
    const isRagged = counted <= batch * seqLen * (1 - WORTH_MOVING);
    /** Rows of everything except attention. */
    const tokens = isRagged ? counted : batch * seqLen;
    const places = batch * seqLen;
    /** Context tokens that stand in the softmax of the own ones. */
    const joined = shape.gated ? 0 : contextLen;
    const keyLen = joined + seqLen;
    const gate = shape.gated ? gatedContext(context, { batch, seqLen, contextLen, numHeads, width }) : undefined;
    const half = rotaryDims / 2;
    const rotate = (rows: NumberArray, direction: 1 | -1): void => {
      if (half === 0) return;
      const table = tables(seqLen, half, 0, rotaryBase, direction);
      addon.rotary(batch, seqLen, numHeads, width / numHeads, half, rows, rows, table);
    };
    /** Packs the rows that count, or unpacks them with 0 at padding. */
    const move = (way: 'packRows' | 'unpackRows', all: NumberArray, rows: NumberArray): void =>
      addon[way](batch, seqLen, width, lengths, all, rows);
    const sizesOf = (name: LayerName): readonly number[] => layers[name]?.savedSizes(tokens) ?? [];
    const savedSizes = [
      ...[tokens * width, tokens, places * width], // h, its inverse deviation, q
      ...[batch * keyLen * width, batch * keyLen * width], // keys, values
      ...[(contextLen > 0 ? 2 : 1) * places * width, batch * numHeads * seqLen], // attended, log-sum-exp
      ...[tokens * width, tokens], // LN of the middle, its inverse deviation
      ...(gate?.savedSizes ?? []),
      ...LAYERS.flatMap(sizesOf),
    ];
    /** The arrays of each layer, among those behind the block's own. */
    const savedOf = (rest: NumberArray[]) => {
      let first = gate?.savedSizes.length ?? 0;
      return Object.fromEntries(
        LAYERS.map((name) => {
          first += sizesOf(name).length;
          return [name, rest.slice(first - sizesOf(name).length, first)];
        }),
      ) as Record<LayerName, NumberArray[]>;
    };
    return {
      ...{ rotate, savedSizes, savedOf },
      ...{ batch, seqLen, width, tokens, places, keyLen, contextLen, joined, gate, isRagged, move },
      attention: [batch, seqLen, keyLen, numHeads, width / numHeads, prefixLen, joined, false],
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
    forward: (x, layers, shape, recording, { contextKeys, contextValues, contextGate } = {}) => {
      const sizes = read(x.shape, layers, shape);
      const { batch, seqLen, width, tokens, places, keyLen, contextLen, gate, rotate, isRagged, move } = sizes;
      const hidden = output(x.shape);
      const saved = memoryFor(sizes.savedSizes);
      const [h, deviation, q, keys, values, attended, logSumExp, h2, deviation2, ...rest] = arraysIn(
        saved,
        sizes.savedSizes,
      );
      const savedOf = sizes.savedOf(rest);
      const [rowSize, placeSize] = [tokens * width, places * width];
      const temporarySizes = [contextLen > 0 ? placeSize : 0, ...(isRagged ? [rowSize, rowSize] : [0, 0])];
      const temporary = memoryFor(temporarySizes);
      const [own, moved, streamRows] = arraysIn(temporary, temporarySizes);
      const stream = isRagged ? streamRows : numbers(hidden);
      const layer = (name: LayerName, from: NumberArray, to: NumberArray, add: boolean): void =>
        layers[name]?.forward(tokens, from, savedOf[name], to, add);
      const normalize = (from: NumberArray, to: NumberArray, inverse: NumberArray): void =>
        addon.layerNormalize(tokens, width, shape.layerNormEpsilon, from, to, inverse);
      /** A layer of h, at all places. */
      const project = (name: LayerName, to: NumberArray): void => {
        layer(name, h, isRagged ? moved : to, false);
        if (isRagged) move('unpackRows', to, moved);
      };
      /** The same, behind the context's rows in every batch. */
      const projectOwn = (name: LayerName, rotated: boolean, all: NumberArray, before?: tf.TensorInfo): void => {
        const to = before ? own : all;
        project(name, to);
        if (rotated) rotate(to, 1);
        if (before === undefined) return;
        const [contextRun, ownRun, stride] = [contextLen * width, seqLen * width, keyLen * width];
        copyRuns([batch, contextRun], numbers(before), [0, contextRun], all, [0, stride]);
        copyRuns([batch, ownRun], own, [0, ownRun], all, [contextRun, stride]);
      };
      /** Adds a layer of the attention output to the residual stream. */
      const addAttended = (name: LayerName, all: NumberArray): void => {
        if (layers[name] === undefined) return;
        if (isRagged) move('packRows', all, moved);
        layer(name, isRagged ? moved : all, stream, true);
      };

      if (isRagged) move('packRows', numbers(x), stream);
      else stream.set(numbers(x));
      normalize(stream, h, deviation);
      project('query', q);
      rotate(q, 1);
      projectOwn('key', true, keys, gate ? undefined : contextKeys);
      projectOwn('value', false, values, gate ? undefined : contextValues);
      const joint = gate ? attended.subarray(0, placeSize) : attended;
      addon.attention(...sizes.attention, q, keys, values, undefined, joint, logSumExp);
      if (gate && contextKeys && contextValues && contextGate) {
        gate.forward(rest, q, [contextKeys, contextValues, contextGate].map(numbers), attended);
      }
      addAttended('output', attended.subarray(0, placeSize));
      addAttended('contextOutput', attended.subarray(placeSize));
      normalize(stream, h2, deviation2);
      layer('ffn', h2, stream, true);
      if (isRagged) move('unpackRows', numbers(hidden), stream);
      release(temporary);
      if (recording) return [hidden, saved];
      release(saved);
      return [hidden];
    },

    backward: (dHidden, saved, layers, shape) => {
      const sizes = read(dHidden.shape, layers, shape);
      const { batch, seqLen, width, tokens, places, keyLen, contextLen, joined, gate, rotate, isRagged, move } = sizes;
      const [h, deviation, q, keys, values, attended, logSumExp, h2, deviation2, ...rest] = arraysIn(
        saved,
        sizes.savedSizes,
      );
      const savedOf = sizes.savedOf(rest);
      const dX = output(dHidden.shape);
      const [rowSize, placeSize] = [tokens * width, places * width];
      const temporarySizes = [
        ...[rowSize, attended.length, q.length, keys.length, values.length],
        ...[contextLen > 0 ? placeSize : 0, ...(isRagged ? [rowSize, rowSize] : [0, 0])],
      ];
      const temporary = memoryFor(temporarySizes);
      const [dH, dAttended, dQ, dKeys, dValues, own, moved, streamRows] = arraysIn(temporary, temporarySizes);
      const stream = isRagged ? streamRows : numbers(dX);
      /** Writes to `to` or, with `add`, adds to it the input gradient of a layer from dY. */
      const layer = (name: LayerName, dY: NumberArray, x: NumberArray, to: NumberArray, add: boolean): void =>
        layers[name]?.backward(tokens, dY, x, savedOf[name], to, add);
      const addNormGradient = (y: NumberArray, inverse: NumberArray): void =>
        addon.layerNormalizeGradient(tokens, width, true, dH, y, inverse, stream);
      /** The own tokens' rows of a gradient of all keys or values, and a tensor of the context's. */
      const part = (all: NumberArray): [own: NumberArray, ofContext: tf.TensorInfo | undefined] => {
        if (joined === 0) return [all, undefined];
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
      const attendedGradient = (name: LayerName, all: NumberArray, dAll: NumberArray): void => {
        if (layers[name] === undefined) return void dAll.fill(0);
        layer(name, stream, rowsOf(all), isRagged ? dH : dAll, false);
        if (isRagged) move('unpackRows', dAll, dH);
      };

      // The residual stream's gradient passes through: it starts as dHidden, and each branch adds to it.
      if (isRagged) move('packRows', numbers(dHidden), stream);
      else stream.set(numbers(dHidden));
      layer('ffn', stream, h2, dH, false);
      addNormGradient(h2, deviation2);
      attendedGradient('output', attended.subarray(0, placeSize), dAttended.subarray(0, placeSize));
      if (contextLen > 0)
        attendedGradient('contextOutput', attended.subarray(placeSize), dAttended.subarray(placeSize));
      const [joint, dJoint] = gate ? [rest[0], dAttended.subarray(0, placeSize)] : [attended, dAttended];
      const results = [joint, logSumExp, dJoint, dQ, dKeys, dValues];
      addon.attentionGradient(...sizes.attention, q, keys, values, undefined, ...results);
      const behindGate = gate?.backward(rest, q, attended, dAttended, dQ, own);
      rotate(dQ, -1);
      layer('query', rowsOf(dQ), h, dH, false);
      const [dOwnKeys, dContextKeys] = part(dKeys);
      rotate(dOwnKeys, -1);
      layer('key', rowsOf(dOwnKeys), h, dH, true);
      const [dOwnValues, dContextValues] = part(dValues);
      layer('value', rowsOf(dOwnValues), h, dH, true);
      addNormGradient(h, deviation);
      if (isRagged) move('unpackRows', numbers(dX), stream);
      release(temporary);
      return { dX, dContextKeys, dContextValues, ...behindGate };
    },
  };
}
