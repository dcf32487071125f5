import { tf } from './tf.js';

/** Numbers that a computation is given, and their shape. */
export interface InputArray {
  readonly values: Float32Array | Int32Array;
  readonly shape: readonly number[];
}

export function inputType({ values }: InputArray): 'int32' | 'float32' {
  return values instanceof Int32Array ? 'int32' : 'float32';
}

export function inputTensor(array: InputArray): tf.Tensor {
  return tf.tensor(array.values, [...array.shape], inputType(array));
}
