import type { PlainKernel, StockKernels } from '../../shared/index.js';
import { tf } from '../../shared/index.js';
import { allFloat, type KernelContext, sizeOf } from './kernelContext.js';

/** As cpp/kernels.h numbers them. */
const UNARY = 'Square Sqrt Rsqrt Exp Erf Tanh Neg Abs Relu Sigmoid Reciprocal Log Log1p'.split(' ');
/** With 0 up to 0; the next is with −1. */
const STEP = UNARY.length;
const BINARY = 'Add Sub Multiply RealDiv Maximum Minimum SquaredDifference'.split(' ');
const ADD = BINARY.indexOf('Add');
/** Of int32 numbers; numbered after the others. */
const WHOLE_BINARY = ['Add', 'Sub', 'Maximum', 'Minimum'];

/** Axes that the compiled kernel goes through, at most. */
const MAX_RANK = 6;

/** `Step`, the derivative of `Relu` and `Relu6`. */
export function stepKernel(context: KernelContext): StockKernels<'Step'> {
  return {
    Step: ({ x }, { alpha }) => {
      const compiled = allFloat(x) && (alpha === 0 || alpha === -1);
      return compiled ? unary(context, STEP - alpha, x) : context.stock('Step', { x }, { alpha });
    },
  };
}

/** Element-wise arithmetic of float32 and some of int32; other dtypes go to the cpu kernels. */
export function arithmeticKernels(context: KernelContext): Readonly<Record<string, PlainKernel>> {
  const { addon, backend, numbers, output, stockPlain } = context;
  const kernels: Record<string, PlainKernel> = {
    AddN: (inputs) => {
      const [first, ...others] = Object.values(inputs);
      if (!allFloat(first, ...others)) return stockPlain('AddN', inputs);
      if (others.length === 0) return backend.sameNumbers(first, first.shape);
      const sum = output(first.shape);
      const count = sizeOf(first.shape);
      for (const [i, other] of others.entries()) {
        addon.binary(ADD, 1, count, 1, 1, numbers(i === 0 ? first : sum), numbers(other), numbers(sum));
      }
      return sum;
    },
  };
  for (const [operation, name] of UNARY.entries()) {
    kernels[name] = ({ x }) => (allFloat(x) ? unary(context, operation, x) : stockPlain(name, { x }));
  }
  for (const [operation, name] of BINARY.entries()) {
    const whole = WHOLE_BINARY.indexOf(name);
    kernels[name] = ({ a, b }) => {
      const ints = whole >= 0 && a.dtype === 'int32' && b.dtype === 'int32';
      if (!ints && !allFloat(a, b)) return stockPlain(name, { a, b });
      const shape = tf.broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape);
      const axes = broadcastAxes(shape, a.shape, b.shape);
      if (axes.length > MAX_RANK) return stockPlain(name, { a, b });
      const result = output(shape, ints ? 'int32' : 'float32');
      const code = ints ? BINARY.length + whole : operation;
      addon.binary(code, axes.length, ...axes.flat(), numbers(a), numbers(b), numbers(result));
      return result;
    };
  }
  return kernels;
}

function unary({ addon, numbers, output }: KernelContext, operation: number, x: tf.TensorInfo): tf.TensorInfo {
  const result = output(x.shape);
  addon.unary(operation, sizeOf(x.shape), numbers(x), numbers(result));
  return result;
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
