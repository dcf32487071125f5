import { allFloat, type KernelContext, type NativeKernel, sizeOf } from './kernelContext.js';

/** As src/kernels.h numbers them. */
const UNARY = ['Square', 'Sqrt', 'Rsqrt', 'Exp', 'Erf', 'Tanh', 'Neg', 'Abs', 'Relu', 'Sigmoid', 'Reciprocal'] as const;
const BINARY = ['Add', 'Sub', 'Multiply', 'RealDiv', 'Maximum', 'Minimum', 'SquaredDifference'] as const;

/** Axes that the compiled kernel goes through, at most. */
const MAX_RANK = 6;

/** Element-wise arithmetic of float32; other dtypes go to the cpu kernels. */
export function arithmeticKernels({ tf, addon, numbers, output, stock }: KernelContext): Record<string, NativeKernel> {
  const kernels: Record<string, NativeKernel> = {};
  for (const [operation, name] of UNARY.entries()) {
    kernels[name] = ({ x }, attributes) => {
      if (!allFloat(x)) return stock(name, { x }, attributes);
      const result = output(x.shape);
      addon.unary(operation, sizeOf(x.shape), numbers(x), numbers(result));
      return result;
    };
  }
  for (const [operation, name] of BINARY.entries()) {
    kernels[name] = ({ a, b }, attributes) => {
      if (!allFloat(a, b)) return stock(name, { a, b }, attributes);
      const shape = tf.broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape);
      const axes = broadcastAxes(shape, a.shape, b.shape);
      if (axes.length > MAX_RANK) return stock(name, { a, b }, attributes);
      const result = output(shape);
      addon.binary(operation, axes.length, ...axes.flat(), numbers(a), numbers(b), numbers(result));
      return result;
    };
  }
  return kernels;
}

/** A size and how far the two operands move along it. */
type Axis = [size: number, strideA: number, strideB: number];

/** The axes of a broadcast operation, those that can be gone through as one put together; at least one. */
function broadcastAxes(shape: readonly number[], shapeA: readonly number[], shapeB: readonly number[]): Axis[] {
  const axes: Axis[] = []; // from the last to the first
  let strideA = 1;
  let strideB = 1;
  for (let fromEnd = 1; fromEnd <= shape.length; fromEnd++) {
    const size = shape[shape.length - fromEnd];
    const sizeA = shapeA[shapeA.length - fromEnd] ?? 1;
    const sizeB = shapeB[shapeB.length - fromEnd] ?? 1;
    const axis: Axis = [size, sizeA === 1 ? 0 : strideA, sizeB === 1 ? 0 : strideB];
    strideA *= sizeA;
    strideB *= sizeB;
    if (size === 1) continue;
    const inner = axes.at(-1);
    if (inner !== undefined && axis[1] === inner[0] * inner[1] && axis[2] === inner[0] * inner[2]) inner[0] *= size;
    else axes.push(axis);
  }
  return axes.length === 0 ? [[1, 0, 0]] : axes.reverse();
}
