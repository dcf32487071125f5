import type { tf } from '../../shared/index.js';
import type { NumberArray } from '../addon.js';
import type { KernelContext } from './kernelContext.js';

/** The sizes of a block's attention to a context. */
export interface GatedContextSizes {
  readonly batch: number;
  readonly seqLen: number;
  readonly contextLen: number;
  readonly numHeads: number;
  readonly width: number;
}

/** Both passes of the part of a block's attention that reads a context behind a gate per head. */
export interface GatedContext {
  /** A, the context's keys and values, the log-sum-exp of C's rows, tanh(g). */
  readonly savedSizes: readonly number[];
  /**
   * @param context keys, values and gate
   * @param attended holds A, and then A + tanh(g) C, and behind it C
   */
  forward(saved: readonly NumberArray[], q: NumberArray, context: readonly NumberArray[], attended: NumberArray): void;
  /**
   * @param dAttended the gradients of `attended`; the second is then that of C
   * @param dQ C's part is added to it
   * @param temporary as long as dQ
   */
  backward(
    saved: readonly NumberArray[],
    q: NumberArray,
    attended: NumberArray,
    dAttended: NumberArray,
    dQ: NumberArray,
    temporary: NumberArray,
  ): Readonly<Record<'dContextKeys' | 'dContextValues' | 'dContextGate', tf.TensorInfo>>;
}

/** whole = A + tanh(g) C, per head, as `gatedAttention` in src/tokenformer defines it. */
export function gatedContext(
  { addon, numbers, output }: KernelContext,
  { batch, seqLen, contextLen, numHeads, width }: GatedContextSizes,
): GatedContext {
  const headDim = width / numHeads;
  const size = batch * seqLen * width;
  const contextSize = batch * contextLen * width;
  const attention = [batch, seqLen, contextLen, numHeads, headDim, contextLen, 0, false];
  return {
    savedSizes: [size, contextSize, contextSize, batch * numHeads * seqLen, numHeads],

    forward: ([own, keys, values, logSumExp, shares], q, [contextKeys, contextValues, gate], attended) => {
      const [whole, read] = [attended.subarray(0, size), attended.subarray(size)];
      own.set(whole);
      keys.set(contextKeys);
      values.set(contextValues);
      for (let head = 0; head < numHeads; head++) shares[head] = Math.tanh(gate[head]);
      addon.attention(...attention, q, keys, values, undefined, read, logSumExp);
      for (let first = 0, head = 0; first < size; first += headDim, head = (head + 1) % numHeads) {
        for (let i = first; i < first + headDim; i++) whole[i] += shares[head] * read[i];
      }
    },

    backward: ([, keys, values, logSumExp, shares], q, attended, dAttended, dQ, temporary) => {
      const read = attended.subarray(size);
      const [dWhole, dRead] = [dAttended.subarray(0, size), dAttended.subarray(size)];
      const dShares = new Float64Array(numHeads);
      for (let first = 0, head = 0; first < size; first += headDim, head = (head + 1) % numHeads) {
        for (let i = first; i < first + headDim; i++) {
          dShares[head] += dWhole[i] * read[i];
          dRead[i] += shares[head] * dWhole[i];
        }
      }
      const dContextGate = output([numHeads]);
      numbers(dContextGate).set(dShares.map((dShare, head) => dShare * (1 - shares[head] ** 2)));
      const [dContextKeys, dContextValues] = [0, 1].map(() => output([batch, contextLen, width]));
      const gradients = [temporary, numbers(dContextKeys), numbers(dContextValues)];
      addon.attentionGradient(...attention, q, keys, values, undefined, read, logSumExp, dRead, ...gradients);
      for (let i = 0; i < size; i++) dQ[i] += temporary[i];
      return { dContextKeys, dContextValues, dContextGate };
    },
  };
}
