import { tf } from '#src/engine';
import { besideTape, isRecording } from './tape.js';

let asked = false;

/** Runs `work`, which must be synchronous and take its gradients itself; with `on`, blocks in it are `recomputed`. */
export function withRecomputation<T>(on: boolean, work: () => T): T {
  const before = asked;
  asked = on;
  try {
    return work();
  } finally {
    asked = before;
  }
}

/** Whether a gradient is being taken whose intermediates are to be computed again rather than kept. */
export function isRecomputing(): boolean {
  return asked && isRecording();
}

/** A tensor as the computation is to read it: the one that was given, or what was kept of it. */
export type Kept = <T extends tf.Tensor>(tensor: T) => T;

/** All tensors that a computation reads. */
export interface RecomputedInputs {
  /** Each has an effect on the result. */
  readonly differentiated: readonly tf.Tensor[];
  /** Others, such as frozen parameters. */
  readonly constant?: readonly tf.Tensor[];
}

/**
 * The result of `run`, which is called again in the backward pass, so that only its inputs are kept until then (activation
 * checkpointing, Chen et al. 2016, arXiv 1604.06174). Its gradients are those of `run`. Inside a gradient.
 *
 * @param run a pure function, which reads its inputs through `kept`
 */
export function recomputed<T extends tf.Tensor>(
  { differentiated, constant = [] }: RecomputedInputs,
  run: (kept: Kept) => T,
): T {
  const inputs = [...new Set(differentiated)];
  // Variables stay what they are; anything else may be gone by the backward pass.
  const passing = [...new Set([...inputs, ...constant])].filter((tensor) => !(tensor instanceof tf.Variable));
  const differentiable = tf.customGrad((...args) => {
    const save = args.at(-1) as tf.GradSaveFunc;
    save(passing);
    return {
      value: run((tensor) => tensor),
      gradFunc: (dOutput: tf.Tensor, saved: tf.Tensor[]) => {
        const copies = new Map<tf.Tensor, tf.Tensor>(passing.map((tensor, i) => [tensor, saved[i]]));
        const kept: Kept = (tensor) => (copies.get(tensor) ?? tensor) as typeof tensor;
        return besideTape(() => tf.grads(() => run(kept))(inputs.map(kept), dOutput));
      },
    };
  });
  return differentiable(...inputs) as T;
}
