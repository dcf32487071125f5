import { type InputArray, tf } from '#src/engine';
import type { BatchLoss } from './trainingTask.js';

/** The loss of a micro-batch as a computation on arrays. */
export interface BatchComputation {
  readonly arrays: readonly InputArray[];
  /** As `BatchLoss.weight`. */
  readonly weight: number;
  /**
   * @param inputs the arrays as tensors
   * @param forAll what it does must suit every micro-batch whose arrays have these shapes; it may know this one otherwise
   */
  sum(inputs: readonly tf.Tensor[], forAll?: boolean): tf.Scalar;
}

export function tensorOf({ values, shape }: InputArray): tf.Tensor {
  return tf.tensor(values, [...shape], values instanceof Int32Array ? 'int32' : 'float32');
}

/** The loss of one micro-batch. */
export function lossOf({ arrays, weight, sum }: BatchComputation): BatchLoss {
  return { sum: sum(arrays.map(tensorOf)), weight };
}
