import type { NormActivationAttributes, tf } from '../../shared/index.js';
import { type Arithmetic, carve, fromColumn, multiply } from './arithmetic.js';
import type { Matrix } from './commands.js';
import type { KernelContext } from './context.js';
import { NORM_ACTIVATIONS } from './fusedKernels.js';
import { areSideBySide, type LayerOutput, type LayerSet } from './layerSet.js';
import { encodePacking, encodeTheta, encodeThetaGradient, type PackedMatrix, type Theta } from './rowCommands.js';

/** A group of parameter tokens, and where its gradients go: keys [n, dIn], values [n, dOut]. */
export interface ParamTokens {
  readonly keys: tf.TensorInfo;
  readonly values: tf.TensorInfo;
  readonly tau: number;
  /** Tensors of the same shapes; none of a frozen group. */
  readonly dKeys?: tf.TensorInfo;
  readonly dValues?: tf.TensorInfo;
}

/** Rows of scores start at multiples of this many numbers, for wide loads. */
const ROW_UNIT = 8;

export function thetaOf({ normActivation, gelu, epsilon }: NormActivationAttributes): Theta {
  return { mode: NORM_ACTIVATIONS.indexOf(normActivation), isTanh: gelu === 'tanh', epsilon };
}

/** A group at its columns of the scores. */
interface PlacedGroup extends ParamTokens {
  readonly start: number;
  readonly length: number;
}

/** Runs of groups that are trained, one behind the other: their gradients are adjacent and come from one product. */
function trainedRuns(
  groups: readonly PlacedGroup[],
): { start: number; length: number; dKeys: tf.TensorInfo; dValues: tf.TensorInfo }[] {
  return groups.flatMap(({ start, length, dKeys, dValues }) =>
    dKeys === undefined || dValues === undefined ? [] : [{ start, length, dKeys, dValues }],
  );
}

/**
 * Pattention layers of one input: Y_l = Σ_g Θ_g(X K_gᵀ) V_g over the groups of layer l. The keys of all groups are multiplied at
 * once, since their scores lie side by side; and so are the values of a layer, since a sum of products over groups is one product over
 * their concatenation.
 *
 * Saved: the scores S [tokens, Σ n] and, where the parameters are copied (to bf16, or to bring several groups together), the copies.
 */
export function pattentionSet(
  context: KernelContext,
  arithmetic: Arithmetic,
  layers: readonly (readonly ParamTokens[])[],
  attributes: NormActivationAttributes,
): LayerSet {
  const { bytes } = arithmetic;
  const theta = thetaOf(attributes);
  let width = 0;
  const placed = layers.map((groups) =>
    groups.map((group): PlacedGroup => {
      const length = group.keys.shape[0];
      width += length;
      return { ...group, start: width - length, length };
    }),
  );
  const groups = placed.flat();
  const stride = Math.ceil(width / ROW_UNIT) * ROW_UNIT;
  const [dIn, dOut] = [groups[0].keys.shape[1], groups[0].values.shape[1]];
  const isCopied = arithmetic.type === 'bf16' || groups.length > 1;
  const first = placed.map((ofLayer) => ofLayer[0]?.start ?? 0);
  const lengths = placed.map((ofLayer) => ofLayer.reduce((sum, { length }) => sum + length, 0));
  /** Layers of the same size can be multiplied as one batch. */
  const isEven = layers.length > 1 && lengths.every((length) => length === lengths[0]);

  const parts = (tokens: number, saved: number) => {
    const copies = isCopied ? [width * dIn * bytes, width * dOut * bytes] : [0, 0];
    const { parts: places, bytes: total } = carve(saved, [tokens * stride * bytes, ...copies]);
    const [scores, copiedKeys, copiedValues] = places;
    const keys = isCopied ? copiedKeys : context.address(groups[0].keys);
    const values = isCopied ? copiedValues : context.address(groups[0].values);
    return { scores, keys: { address: keys, stride: dIn }, values: { address: values, stride: dOut }, total };
  };
  const copyParameters = (keys: Matrix, values: Matrix): void => {
    if (!isCopied) return;
    const packed = (tensor: tf.TensorInfo, before: number, row: number): PackedMatrix => {
      const [rows, columns] = tensor.shape;
      return { from: context.address(tensor), first: before + row * columns, count: rows * columns };
    };
    const between = (values.address - keys.address) / bytes;
    const matrices = groups.flatMap(({ keys: ofKeys, values: ofValues, start }) => [
      packed(ofKeys, 0, start),
      packed(ofValues, between, start),
    ]);
    encodePacking(context, arithmetic, matrices, keys.address);
  };
  const rowsOf = (tokens: number) => ({ rows: tokens, stride, groups });
  const matrixBytes = (tokens: number): number => tokens * stride * bytes;

  return {
    savedBytes: (tokens) =>
      carve(0, [matrixBytes(tokens), ...(isCopied ? [width * dIn * bytes, width * dOut * bytes] : [0, 0])]).bytes,
    scratchBytes: (tokens) => carve(0, [matrixBytes(tokens), matrixBytes(tokens)]).bytes,

    forward: (tokens, x, saved, scratch, outputs) => {
      const { scores, keys, values } = parts(tokens, saved);
      copyParameters(keys, values);
      const rows = { address: scores, stride };
      multiply(context, arithmetic, { a: x, b: keys, c: rows, transposeB: true, m: tokens, n: width, k: dIn });
      encodeTheta(context, arithmetic, rowsOf(tokens), theta, { scores, weights: scratch });
      const product = (l: number, batch: number): void => {
        const c = outputs[l];
        const [length] = [lengths[l]];
        multiply(context, arithmetic, {
          a: { ...fromColumn({ address: scratch, stride }, first[l], bytes), batchStride: length },
          b: { address: values.address + first[l] * dOut * bytes, stride: dOut, batchStride: length * dOut },
          c: { ...c, batchStride: dOut },
          ...{ m: tokens, n: dOut, k: length, batch, beta: c.add ? 1 : 0 },
          result: c.result,
        });
      };
      const isBatch = isEven && areSideBySide(outputs, dOut, bytes) && outputs.every(isPlain);
      if (isBatch) product(0, layers.length);
      else for (const l of layers.keys()) product(l, 1);
    },

    backward: (tokens, dOutputs, x, saved, scratch, dX) => {
      const { scores, keys, values } = parts(tokens, saved);
      const [gradient, weights] = carve(scratch, [matrixBytes(tokens), matrixBytes(tokens)]).parts;
      const isBatch = isEven && areSideBySide(dOutputs, dOut, bytes);
      const weightGradient = (l: number, batch: number): void =>
        multiply(context, arithmetic, {
          a: { ...dOutputs[l], batchStride: dOut },
          b: { address: values.address + first[l] * dOut * bytes, stride: dOut, batchStride: lengths[l] * dOut },
          c: { ...fromColumn({ address: gradient, stride }, first[l], bytes), batchStride: lengths[l] },
          ...{ transposeB: true, m: tokens, n: lengths[l], k: dOut, batch },
        });
      if (isBatch) weightGradient(0, layers.length);
      else for (const l of layers.keys()) weightGradient(l, 1);

      const trained = placed.map(trainedRuns);
      const isTrained = trained.some((runs) => runs.length > 0);
      const places = { scores, gradient, weights: isTrained ? weights : undefined };
      encodeThetaGradient(context, arithmetic, rowsOf(tokens), theta, places);

      /** Products over all tokens for gradients that lie one behind the other, as a batch where they can be. */
      const ofValues = (l: number, run: (typeof trained)[number][number], batch: number): void =>
        multiply(context, arithmetic, {
          a: { ...fromColumn({ address: weights, stride }, run.start, bytes), batchStride: run.length },
          b: { ...dOutputs[l], batchStride: dOut },
          c: { address: context.address(run.dValues), stride: dOut, batchStride: run.length * dOut },
          ...{ transposeA: true, m: run.length, n: dOut, k: tokens, batch, result: 'float32' },
        });
      const all = trained.flat();
      const isOneEach = isBatch && trained.every((runs, l) => runs.length === 1 && runs[0].length === lengths[l]);
      if (
        isOneEach &&
        areAdjacent(
          context,
          all.map(({ dValues }) => dValues),
        )
      )
        ofValues(0, trained[0][0], layers.length);
      else for (const [l, runs] of trained.entries()) for (const run of runs) ofValues(l, run, 1);

      const ofKeys = (start: number, length: number, dKeys: tf.TensorInfo): void =>
        multiply(context, arithmetic, {
          a: fromColumn({ address: gradient, stride }, start, bytes),
          b: x,
          c: { address: context.address(dKeys), stride: dIn },
          ...{ transposeA: true, m: length, n: dIn, k: tokens, result: 'float32' },
        });
      const isWhole =
        all.length === groups.length &&
        areAdjacent(
          context,
          all.map(({ dKeys }) => dKeys),
        );
      if (isWhole) ofKeys(0, width, all[0].dKeys);
      else for (const { start, length, dKeys } of all) ofKeys(start, length, dKeys);

      multiply(context, arithmetic, {
        a: { address: gradient, stride },
        b: keys,
        c: dX,
        ...{ m: tokens, n: dIn, k: width },
      });
    },
  };
}

function isPlain({ result, add }: LayerOutput): boolean {
  return result === undefined && add !== true;
}

/** Whether float32 tensors lie one behind the other without gaps. */
export function areAdjacent(context: Pick<KernelContext, 'address'>, tensors: readonly tf.TensorInfo[]): boolean {
  let next: number | undefined;
  for (const tensor of tensors) {
    const address = context.address(tensor);
    if (next !== undefined && address !== next) return false;
    next = address + 4 * tensor.shape.reduce((product, size) => product * size, 1);
  }
  return true;
}
