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
  /** The context's keys and values, A, the log-sum-exp of C's rows, tanh(g). */
  readonly savedSizes: readonly number[];
  /** @param attended holds A, and then A + tanh(g) C, and behind it C */
  forward(
    saved: readonly NumberArray[],
    inputs: Readonly<Record<'q' | 'keys' | 'values' | 'gate', NumberArray>>,
    attended: NumberArray,
  ): void;
  /**
   * @param dAttended the gradients of `attended`; the second is then that of C
   * @param gradients dQ gets C's part alone
   */
  backward(
    saved: readonly NumberArray[],
    q: NumberArray,
    attended: NumberArray,
    dAttended: NumberArray,
    gradients: Readonly<Record<'dQ' | 'dKeys' | 'dValues' | 'dGate', NumberArray>>,
  ): void;
}

/** whole = A + tanh(g) C, per head, as `gatedAttention` in src/tokenformer defines it. */
export function gatedContext(
  { addon }: Pick<KernelContext, 'addon'>,
  { batch, seqLen, contextLen, numHeads, width }: GatedContextSizes,
): GatedContext {
  const headDim = width / numHeads;
  const size = batch * seqLen * width;
  const contextSize = batch * contextLen * width;
  const attention = [batch, seqLen, contextLen, numHeads, headDim, contextLen, 0, false];
  return {
    savedSizes: [contextSize, contextSize, size, batch * numHeads * seqLen, numHeads],

    forward: ([keys, values, own, logSumExp, shares], inputs, attended) => {
      const [whole, read] = [attended.subarray(0, size), attended.subarray(size)];
      keys.set(inputs.keys);
      values.set(inputs.values);
      own.set(whole);
      for (let head = 0; head < numHeads; head++) shares[head] = Math.tanh(inputs.gate[head]);
      addon.attention(...attention, inputs.q, keys, values, undefined, read, logSumExp);
      for (let first = 0, head = 0; first < size; first += headDim, head = (head + 1) % numHeads) {
        for (let i = first; i < first + headDim; i++) whole[i] += shares[head] * read[i];
      }
    },

    backward: ([keys, values, , logSumExp, shares], q, attended, dAttended, { dQ, dKeys, dValues, dGate }) => {
      const read = attended.subarray(size);
      const [dWhole, dRead] = [dAttended.subarray(0, size), dAttended.subarray(size)];
      const dShares = new Float64Array(numHeads);
      for (let first = 0, head = 0; first < size; first += headDim, head = (head + 1) % numHeads) {
        for (let i = first; i < first + headDim; i++) {
          dShares[head] += dWhole[i] * read[i];
          dRead[i] += shares[head] * dWhole[i];
        }
      }
      for (let head = 0; head < numHeads; head++) dGate[head] = dShares[head] * (1 - shares[head] ** 2);
      addon.attentionGradient(...attention, q, keys, values, undefined, read, logSumExp, dRead, dQ, dKeys, dValues);
    },
  };
}
