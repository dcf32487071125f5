import { tf } from '../tf.js';
import type { KernelContext, WasmKernel } from './kernelContext.js';

/** Faster versions of TensorFlow.js's own kernels; what they do not cover goes to the stock ones. */
export function tensorKernels(context: KernelContext): Record<string, WasmKernel> {
  const { module, address } = context;
  const elementwise =
    (kernelName: string, run: (x: number, output: number, count: number) => number): WasmKernel =>
    ({ x }) => {
      if (x.dtype !== 'float32') return context.stock(kernelName, { x }, {});
      const output = context.output(x.shape);
      run(address(x), address(output), tf.util.sizeFromShape(x.shape));
      return output;
    };
  return {
    [tf.Exp]: elementwise(tf.Exp, module.exp),
    [tf.Erf]: elementwise(tf.Erf, module.erf),
    [tf.Tanh]: elementwise(tf.Tanh, module.tanh),
    [tf.Transpose]: ({ x }, { perm }) => {
      const axes = perm as number[];
      const swap = x.dtype === 'float32' || x.dtype === 'int32' ? axisSwap(x.shape, axes) : undefined;
      if (swap === undefined) return context.stock(tf.Transpose, { x }, { perm });
      const [batch, rows, columns, width] = swap;
      const output = context.output(
        axes.map((axis) => x.shape[axis]),
        x.dtype,
      );
      if (width === 1) module.transposeMatrices(address(x), address(output), batch, rows, columns);
      else module.swapAxes(address(x), address(output), batch, rows, columns, width);
      return output;
    },
    [tf.UnsortedSegmentSum]: ({ x, segmentIds }, { numSegments }) => {
      const inner = x.shape.slice(segmentIds.shape.length);
      const output = context.output([numSegments as number, ...inner], x.dtype);
      const rows = tf.util.sizeFromShape(segmentIds.shape);
      const tensors = [x, segmentIds, output].map(address);
      const integers = x.dtype === 'float32' ? 0 : 1;
      module.segmentSum(...tensors, rows, tf.util.sizeFromShape(inner), numSegments as number, integers);
      return output;
    },
  };
}

/**
 * A permutation that swaps two neighbouring (groups of) axes, as [batch, rows, columns, width] → [batch, columns, rows,
 * width]; undefined for any other, the identity among them.
 */
export function axisSwap(
  shape: readonly number[],
  perm: readonly number[],
): [number, number, number, number] | undefined {
  const order = perm.filter((axis) => shape[axis] !== 1); // axes of size 1 move nothing
  const sorted = [...order].sort((a, b) => a - b);
  const size = (axes: readonly number[]): number => axes.reduce((product, axis) => product * shape[axis], 1);
  let first = 0;
  while (first < order.length && order[first] === sorted[first]) first++;
  if (first === order.length) return undefined;
  let last = order.length;
  while (order[last - 1] === sorted[last - 1]) last--;
  const moved = order.slice(first, last);
  const inPlace = sorted.slice(first, last);
  const turn = moved.indexOf(inPlace[0]);
  const swapped = [...moved.slice(turn), ...moved.slice(0, turn)];
  if (swapped.some((axis, i) => axis !== inPlace[i])) return undefined;
  return [size(order.slice(0, first)), size(moved.slice(turn)), size(moved.slice(0, turn)), size(order.slice(last))];
}
