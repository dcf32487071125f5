import type { FusedKernel, FusedKernelFunctions } from '../../shared/index.js';
import { callOne, type Tensors, tf } from '../../shared/index.js';
import type { UniformValue, WebgpuBackend } from '../backend.js';

/** Kernels of this project, which take the backend as their third argument. */
export type WebgpuKernels<Names extends FusedKernel> = FusedKernelFunctions<Names, WebgpuBackend>;

export function floats(...values: readonly number[]): UniformValue[] {
  return values.map((value) => ({ type: 'float32', data: [value] }));
}

export function integers(...values: readonly number[]): UniformValue[] {
  return values.map((value) => ({ type: 'int32', data: [value] }));
}

export function sizeOf({ shape }: tf.TensorInfo): number {
  return tf.util.sizeFromShape(shape);
}

/** The same numbers in another shape; they are not counted again, so the result must not outlive `tensor`. */
export function viewAs(tensor: tf.TensorInfo, shape: number[]): tf.TensorInfo {
  return { dataId: tensor.dataId, dtype: tensor.dtype, shape };
}

/** The numbers as a matrix of the last axis' rows. */
export function rowsOf(tensor: tf.TensorInfo): { rows: number; width: number; matrix: tf.TensorInfo } {
  const width = tensor.shape.at(-1) ?? 1;
  const rows = width === 0 ? 0 : sizeOf(tensor) / width;
  return { rows, width, matrix: viewAs(tensor, [rows, width]) };
}

/** a · b of matrices, or of stacks of them, either transposed. */
export function matMul(
  backend: WebgpuBackend,
  a: tf.TensorInfo,
  b: tf.TensorInfo,
  transposeA = false,
  transposeB = false,
): tf.TensorInfo {
  return runKernel(backend, tf.BatchMatMul, { a, b }, { transposeA, transposeB });
}

export function runKernel(
  backend: WebgpuBackend,
  name: string,
  inputs: Tensors | readonly tf.TensorInfo[],
  attributes: object,
): tf.TensorInfo {
  return callOne(tf.getKernel(name, 'webgpu'), inputs, attributes, backend);
}

export function release(backend: WebgpuBackend, ...tensors: readonly tf.TensorInfo[]): void {
  for (const { dataId } of tensors) backend.disposeData(dataId);
}
