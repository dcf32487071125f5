import type { tf } from '../../shared/index.js';
import { type Arithmetic, carve } from './arithmetic.js';
import { encodeAttentionBackward, encodeAttentionForward, encodeRotary } from './attention.js';
import type { Matrix } from './commands.js';
import { type KernelContext, sizeOf } from './context.js';
import type { LayerSet } from './layerSet.js';
import {
  encodeConversion,
  encodeLayerNorm,
  encodeLayerNormGradient,
  encodeRowCopy,
  encodeWidening,
} from './rowCommands.js';

/** The shape and the attention of a block, whatever its layers are. */
export interface BlockShape {
  readonly numHeads: number;
  readonly rotaryDims: number;
  readonly rotaryBase: number;
  readonly layerNormEpsilon: number;
  readonly prefixLen: number;
  readonly contextLen: number;
}

/** The layers of a block; `projections` are query, key and value, and `contextOutput` reads the context's part of what attention gave. */
export interface BlockLayerSets {
  readonly projections: LayerSet;
  readonly output: LayerSet;
  readonly contextOutput?: LayerSet;
  readonly ffn: LayerSet;
}

/** Keys and values of another stream's tokens, [batch, contextLen, dModel]. */
export interface ContextStates {
  readonly contextKeys?: tf.TensorInfo;
  readonly contextValues?: tf.TensorInfo;
}

export interface BlockPasses {
  forward(
    x: tf.TensorInfo,
    layers: BlockLayerSets,
    shape: BlockShape,
    recording: boolean,
    context?: ContextStates,
  ): [hidden: tf.TensorInfo] | [hidden: tf.TensorInfo, saved: tf.TensorInfo];
  backward(
    dHidden: tf.TensorInfo,
    saved: tf.TensorInfo,
    layers: BlockLayerSets,
    shape: BlockShape,
  ): { dX: tf.TensorInfo; dContextKeys?: tf.TensorInfo; dContextValues?: tf.TensorInfo };
}

const FLOAT_BYTES = 4;

/**
 * Both passes of a pre-norm block around its layers, as commands for the card:
 *
 *   X' = X + O(attention(Q, K, V)),  Q, K, V = layers of LN(X);   H = X' + FFN(LN(X'))
 *
 * The residual stream is float32; everything between is in the arithmetic's type. What the first pass saves for the second is in one
 * tensor. Padding is computed like any other token: under a causal mask no token reads it, and its gradient is 0.
 */
export function blockPasses(context: KernelContext, arithmetic: Arithmetic): BlockPasses {
  const { bytes } = arithmetic;

  /** The sizes of a pass and where each saved array is. */
  function plan([batch, seqLen, width]: readonly number[], layers: BlockLayerSets, shape: BlockShape, saved: number) {
    const { numHeads, contextLen } = shape;
    const tokens = batch * seqLen;
    const keyLen = contextLen + seqLen;
    const rows = tokens * width * bytes;
    const withContext = contextLen > 0;
    const { parts, bytes: savedBytes } = carve(saved, [
      ...[rows, tokens * FLOAT_BYTES], // h, its inverse deviation
      3 * rows, // q, and the own keys and values
      ...(withContext ? [batch * keyLen * width * bytes, batch * keyLen * width * bytes] : [0, 0]), // all keys, all values
      ...[(withContext ? 2 : 1) * rows, batch * numHeads * seqLen * FLOAT_BYTES], // attended, log-sum-exp
      ...[rows, tokens * FLOAT_BYTES], // LN of the middle, its inverse deviation
      layers.projections.savedBytes(tokens),
      layers.output.savedBytes(tokens),
      layers.contextOutput?.savedBytes(tokens) ?? 0,
      layers.ffn.savedBytes(tokens),
    ]);
    const [h, deviation, qkv, keys, values, attended, logSumExp, h2, deviation2, ...ofLayers] = parts;
    const [ofProjections, ofOutput, ofContextOutput, ofFfn] = ofLayers;
    const scratchBytes = Math.max(
      ...[layers.projections, layers.output, layers.contextOutput, layers.ffn].map(
        (set) => set?.scratchBytes(tokens) ?? 0,
      ),
    );
    const matrix = (address: number): Matrix => ({ address, stride: width });
    /** Query, key and value of the own tokens side by side in rows of 3 · width, or gradients of them. */
    const sideBySide = (address: number): Matrix[] =>
      [0, 1, 2].map((i) => ({ address: address + i * width * bytes, stride: 3 * width }));
    const own = (address: number) => ({ address, rowStride: 3 * width, batchStride: seqLen * 3 * width });
    const all = (address: number) => ({ address, rowStride: width, batchStride: keyLen * width });
    const flat = (address: number) => ({ address, rowStride: width, batchStride: seqLen * width });
    /** Where attention finds q, k and v, or leaves their gradients. */
    const operands = (ownRows: number, allKeys: number, allValues: number) => {
      const [q, k, v] = sideBySide(ownRows).map(({ address }) => own(address));
      return withContext ? { q, k: all(allKeys), v: all(allValues) } : { q, k, v };
    };
    const attention = {
      ...{ type: arithmetic.type, compute: arithmetic.compute, batch, seqLen, keyLen, numHeads, contextLen },
      ...{ headDim: width / numHeads, prefixLen: shape.prefixLen, scale: 1 / Math.sqrt(width / numHeads) },
    };
    const norm = { rows: tokens, width };
    const rotate = (rowsOf: readonly ReturnType<typeof own>[], direction: 1 | -1): void => {
      encodeRotary(context, {
        ...{ type: arithmetic.type, x: rowsOf, batch, seqLen, numHeads, headDim: width / numHeads },
        ...{ rotaryDims: shape.rotaryDims, base: shape.rotaryBase, startPosition: 0, direction },
      });
    };
    return {
      ...{
        batch,
        seqLen,
        width,
        tokens,
        keyLen,
        contextLen,
        withContext,
        rows,
        savedBytes,
        scratchBytes,
        norm,
        attention,
      },
      ...{ h, deviation, qkv, keys, values, attended, logSumExp, h2, deviation2 },
      ...{ ofProjections, ofOutput, ofContextOutput, ofFfn },
      ...{ matrix, sideBySide, own, all, flat, operands, rotate },
    };
  }

  return {
    forward: (x, layers, shape, recording, { contextKeys, contextValues } = {}) => {
      const { savedBytes } = plan(x.shape, layers, shape, 0);
      const hidden = context.output(x.shape);
      const saved = recording ? context.output([Math.ceil(savedBytes / FLOAT_BYTES)]) : undefined;
      const p = plan(x.shape, layers, shape, saved ? context.address(saved) : context.scratch(savedBytes));
      const scratch = context.scratch(p.scratchBytes);
      const stream = context.address(hidden);
      const addTo = { address: stream, stride: p.width, result: 'float32', add: true } as const;

      encodeLayerNorm(context, arithmetic, p.norm, shape.layerNormEpsilon, {
        ...{ x: context.address(x), normalized: p.h, inverseDeviation: p.deviation, copy: stream },
      });
      layers.projections.forward(p.tokens, p.matrix(p.h), p.ofProjections, scratch, p.sideBySide(p.qkv));
      const [ownQ, ownK, ownV] = p.sideBySide(p.qkv).map(({ address }) => p.own(address));
      p.rotate([ownQ, ownK], 1);
      if (contextKeys && contextValues) {
        for (const [from, states, to] of [
          [ownK, contextKeys, p.keys],
          [ownV, contextValues, p.values],
        ] as const) {
          const [run, step] = [p.contextLen * p.width, p.keyLen * p.width];
          const before = { address: context.address(states), stride: run };
          encodeConversion(context, arithmetic, [p.batch, run], before, { to: { address: to, stride: step } });
          const after = { ...p.all(to), address: to + run * bytes };
          encodeRowCopy(context, arithmetic, [p.batch, p.seqLen, p.width], from, after);
        }
      }
      encodeAttentionForward(context, {
        ...p.attention,
        ...p.operands(p.qkv, p.keys, p.values),
        ...{
          out: p.flat(p.attended),
          contextOut: p.withContext ? p.flat(p.attended + p.rows) : undefined,
          lse: p.logSumExp,
        },
      });
      layers.output.forward(p.tokens, p.matrix(p.attended), p.ofOutput, scratch, [addTo]);
      layers.contextOutput?.forward(p.tokens, p.matrix(p.attended + p.rows), p.ofContextOutput, scratch, [addTo]);
      encodeLayerNorm(context, arithmetic, p.norm, shape.layerNormEpsilon, {
        ...{ x: stream, normalized: p.h2, inverseDeviation: p.deviation2 },
      });
      layers.ffn.forward(p.tokens, p.matrix(p.h2), p.ofFfn, scratch, [addTo]);
      return saved ? [hidden, saved] : [hidden];
    },

    backward: (dHidden, saved, layers, shape) => {
      const p = plan(dHidden.shape, layers, shape, context.address(saved));
      const dX = context.output(dHidden.shape);
      const stream = context.address(dX);
      const isRounded = arithmetic.type === 'bf16';
      const { parts } = carve(
        context.scratch(
          carve(0, [p.rows, isRounded ? p.rows : 0, (p.withContext ? 2 : 1) * p.rows, 3 * p.rows, 0, 0, p.scratchBytes])
            .bytes + (p.withContext ? 2 * carve(0, [p.batch * p.keyLen * p.width * bytes]).bytes : 0),
        ),
        [
          ...[p.rows, isRounded ? p.rows : 0, (p.withContext ? 2 : 1) * p.rows, 3 * p.rows],
          ...(p.withContext ? [p.batch * p.keyLen * p.width * bytes, p.batch * p.keyLen * p.width * bytes] : [0, 0]),
          p.scratchBytes,
        ],
      );
      const [dH, roundedStream, dAttended, dQkv, dKeys, dValues, scratch] = parts;
      /** The gradient of the residual stream, as an operand of products. */
      const dStream = p.matrix(isRounded ? roundedStream : stream);
      const addNormGradient = (y: number, inverseDeviation: number, isLast: boolean): void =>
        encodeLayerNormGradient(
          context,
          arithmetic,
          p.norm,
          { dY: dH, y, inverseDeviation, stream, rounded: isRounded && !isLast ? roundedStream : undefined },
          true,
        );

      // The residual stream's gradient passes through: it starts as dHidden, and each branch adds to it.
      encodeConversion(
        context,
        arithmetic,
        [1, sizeOf(dHidden.shape)],
        { address: context.address(dHidden), stride: sizeOf(dHidden.shape) },
        {
          ...(isRounded ? { to: { address: roundedStream, stride: sizeOf(dHidden.shape) } } : {}),
          copy: { address: stream, stride: sizeOf(dHidden.shape) },
        },
      );
      layers.ffn.backward(p.tokens, [dStream], p.matrix(p.h2), p.ofFfn, scratch, p.matrix(dH));
      addNormGradient(p.h2, p.deviation2, false);
      layers.output.backward(p.tokens, [dStream], p.matrix(p.attended), p.ofOutput, scratch, p.matrix(dAttended));
      const dContextOut = dAttended + p.rows;
      if (layers.contextOutput) {
        const attended = p.matrix(p.attended + p.rows);
        layers.contextOutput.backward(p.tokens, [dStream], attended, p.ofContextOutput, scratch, p.matrix(dContextOut));
      } else if (p.withContext) {
        context.commands.fill(dContextOut, p.rows, 0);
      }
      const gradients = p.operands(dQkv, dKeys, dValues);
      encodeAttentionBackward(context, {
        ...p.attention,
        ...p.operands(p.qkv, p.keys, p.values),
        ...{
          out: p.flat(p.attended),
          contextOut: p.withContext ? p.flat(p.attended + p.rows) : undefined,
          lse: p.logSumExp,
        },
        ...{ dOut: p.flat(dAttended), dContextOut: p.withContext ? p.flat(dContextOut) : undefined },
        ...{ dQ: gradients.q, dK: gradients.k, dV: gradients.v },
      });
      const [ownQ, ownK, ownV] = p.sideBySide(dQkv).map(({ address }) => p.own(address));
      /** The context's part of a gradient of all keys or values; the own tokens' part goes to its place. */
      const part = (all: number, own: ReturnType<typeof p.own>): tf.TensorInfo | undefined => {
        if (!p.withContext) return undefined;
        const [run, step] = [p.contextLen * p.width, p.keyLen * p.width];
        encodeRowCopy(
          context,
          arithmetic,
          [p.batch, p.seqLen, p.width],
          { ...p.all(all), address: all + run * bytes },
          own,
        );
        const ofContext = context.output([p.batch, p.contextLen, p.width]);
        const to = { address: context.address(ofContext), stride: run };
        encodeWidening(context, arithmetic, [p.batch, run], { address: all, stride: step }, to);
        return ofContext;
      };
      const dContextKeys = part(dKeys, ownK);
      const dContextValues = part(dValues, ownV);
      p.rotate([ownQ, ownK], -1);
      layers.projections.backward(p.tokens, p.sideBySide(dQkv), p.matrix(p.h), p.ofProjections, scratch, p.matrix(dH));
      addNormGradient(p.h, p.deviation, true);
      return { dX, dContextKeys, dContextValues };
    },
  };
}
