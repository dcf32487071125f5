import { type InputArray, inputTensor, type tf } from '#src/engine';
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

/** The loss of one micro-batch. */
export function lossOf({ arrays, weight, sum }: BatchComputation): BatchLoss {
  return { sum: sum(arrays.map(inputTensor)), weight };
}
