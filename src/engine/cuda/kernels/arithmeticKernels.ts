import { type KernelResult, type PlainKernel, type StockKernels, tf } from '../../shared/index.js';
import { allFloat, gridOf, type KernelContext, MOST_ELEMENTS, sizeOf, staysOnHost } from './context.js';
import { isNumbers, type NumberType } from './numbers.js';

/** As source/opsElementwise.cu numbers them. */
const UNARY = (
  'Neg Abs Square Sqrt Rsqrt Exp Expm1 Log Log1p Erf Tanh Sigmoid Reciprocal Relu Relu6 Elu Softplus Sin Cos Sign Floor ' +
  'Ceil Round Step ClipByValue LeakyRelu'
).split(' ');
const FLOAT_BINARY = 'Add Sub Multiply RealDiv Maximum Minimum SquaredDifference Pow Mod'.split(' ');
const INT_BINARY = 'Add Sub Multiply Maximum Minimum SquaredDifference Mod FloorDiv'.split(' ');
const COMPARISONS = 'Equal NotEqual Less LessEqual Greater GreaterEqual LogicalAnd LogicalOr'.split(' ');

/** Functions of float32 that are the same to the last bit on the host, which rounds what it computed in float64. */
const EXACT = new Set(
  (
    'Neg Abs Square Sqrt Reciprocal Relu Relu6 Sign Floor Ceil Round Step ClipByValue ' +
    'Add Sub Multiply RealDiv Maximum Minimum'
  ).split(' '),
);

/** Axes that the kernels go through, at most. */
const MAX_RANK = 6;

const KERNEL_TYPES: Readonly<Record<NumberType, string>> = { float32: 'Float', int32: 'Int', bool: 'Bool' };

/** Unary functions of float32 with attributes. */
export function unaryWithAttributes(context: KernelContext): StockKernels<'Step' | 'ClipByValue' | 'LeakyRelu'> {
  const { stock } = context;
  const here = (name: string, x: tf.TensorInfo): boolean => allFloat(x) && !isForHost(context, name, x);
  return {
    Step: ({ x }, { alpha }) => (here('Step', x) ? unary(context, 'Step', x, alpha) : stock('Step', { x }, { alpha })),
    ClipByValue: ({ x }, attributes) => {
      const { clipValueMin, clipValueMax } = attributes;
      if (!here('ClipByValue', x)) return stock('ClipByValue', { x }, attributes);
      return unary(context, 'ClipByValue', x, clipValueMin, clipValueMax);
    },
    LeakyRelu: ({ x }, { alpha }) =>
      here('LeakyRelu', x) ? unary(context, 'LeakyRelu', x, alpha) : stock('LeakyRelu', { x }, { alpha }),
  };
}

/** Element-wise functions of float32, arithmetic and comparisons of float32 and int32; others go to the cpu kernels. */
export function arithmeticKernels(context: KernelContext): Readonly<Record<string, PlainKernel>> {
  const { address, backend, commands, kernel, output, sameNumbers, stockPlain } = context;
  const kernels: Record<string, PlainKernel> = {
    AddN: (inputs) => {
      const [first, ...others] = Object.values(inputs);
      const all = [first, ...others];
      if (!allFloat(...all)) return stockPlain('AddN', inputs);
      if (others.length === 0) return sameNumbers(first, first.shape);
      const sum = output(first.shape);
      for (const [i, other] of others.entries()) {
        binary(context, 'binaryFloat', FLOAT_BINARY.indexOf('Add'), [i === 0 ? first : sum, other], sum);
      }
      return sum;
    },
    LogicalNot: ({ x }) => {
      if (x.dtype !== 'bool' || staysOnHost(context, x)) return stockPlain('LogicalNot', { x });
      const result = output(x.shape, 'bool');
      launchEach(context, 'logicalNot', x, result);
      return result;
    },
    Select: ({ condition, t, e }) => {
      const alike = [condition, e].every(({ shape }) => shape.join() === t.shape.join()) && t.dtype === e.dtype;
      const words = t.dtype === 'float32' || t.dtype === 'int32';
      if (!alike || !words || condition.dtype !== 'bool' || staysOnHost(context, condition, t, e)) {
        return stockPlain('Select', { condition, t, e });
      }
      const result = output(t.shape, t.dtype as NumberType);
      const count = sizeOf(t.shape);
      if (count === 0) return result;
      const addresses = [condition, t, e, result].map((tensor) => ({ address: address(tensor) }));
      commands.launch(kernel('selectWords'), gridOf(context, count), [...addresses, { long: count }]);
      return result;
    },
  };
  for (const name of UNARY.filter((each) => !['Step', 'ClipByValue', 'LeakyRelu'].includes(each))) {
    kernels[name] = ({ x }) =>
      allFloat(x) && !isForHost(context, name, x) ? unary(context, name, x) : stockPlain(name, { x });
  }
  /** The kernel, the operation's number and the result's dtype for two operands of that dtype, if there is one. */
  const find = (name: string, dtype: string): [kernel: string, operation: number, dtype: NumberType] | undefined => {
    if (!isNumbers(dtype)) return undefined;
    const comparison = COMPARISONS.indexOf(name);
    const logical = name.startsWith('Logical');
    if (comparison >= 0 && (!logical || dtype === 'bool')) return [`compare${KERNEL_TYPES[dtype]}`, comparison, 'bool'];
    const operation = (dtype === 'float32' ? FLOAT_BINARY : dtype === 'int32' ? INT_BINARY : []).indexOf(name);
    return operation < 0 ? undefined : [`binary${KERNEL_TYPES[dtype]}`, operation, dtype];
  };
  for (const name of new Set([...FLOAT_BINARY, ...INT_BINARY, ...COMPARISONS])) {
    kernels[name] = ({ a, b }): KernelResult => {
      const found = a.dtype === b.dtype ? find(name, a.dtype) : undefined;
      const isProduct = found !== undefined && name === 'Multiply' && a.dtype === 'float32';
      const uniform = isProduct ? uniformProduct(context, a, b) : undefined;
      if (uniform !== undefined) return uniform;
      if (found === undefined || isForHost(context, name, a, b)) return stockPlain(name, { a, b });
      const [kernelName, operation, dtype] = found;
      const result = output(tf.broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape), dtype);
      if (binary(context, kernelName, operation, [a, b], result)) return result;
      backend.disposeData(result.dataId);
      return stockPlain(name, { a, b });
    };
  }
  return kernels;
}

/** The longest tensor that is made on the host because one number tells all of it. */
const MOST_UNIFORM = 2 ** 17;

/** The product of tensors each of which is one number throughout, as in the gradient of a sum: made on the host, so that it is known there. */
function uniformProduct({ backend }: KernelContext, a: tf.TensorInfo, b: tf.TensorInfo): tf.TensorInfo | undefined {
  const shape = tf.broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape);
  if (sizeOf(shape) > MOST_UNIFORM) return undefined;
  const [first, second] = [backend.uniform(a), backend.uniform(b)];
  if (first === undefined || second === undefined) return undefined;
  return backend.makeTensorInfo(shape, 'float32', new Float32Array(sizeOf(shape)).fill(first * second));
}

/** `Cast` between numbers; a cpu kernel would only rename what a wider dtype holds as well. */
export function castKernel(context: KernelContext): StockKernels<'Cast'> {
  const { backend, output, sameNumbers, stock } = context;
  return {
    Cast: ({ x }, { dtype }) => {
      if (dtype === x.dtype) return sameNumbers(x, x.shape);
      if (!isNumbers(dtype) || !isNumbers(x.dtype)) return stock('Cast', { x }, { dtype });
      if (!staysOnHost(context, x)) {
        const result = output(x.shape, dtype);
        launchEach(context, `cast${KERNEL_TYPES[x.dtype]}To${KERNEL_TYPES[dtype]}`, x, result);
        return result;
      }
      const widens = x.dtype === 'bool' || dtype === 'float32';
      if (!widens) return stock('Cast', { x }, { dtype });
      const kind = dtype === 'float32' ? Float32Array : Int32Array;
      return backend.makeTensorInfo(x.shape, dtype, kind.from(backend.numbers(x)));
    },
  };
}

/** Whether a function is better computed on the host. */
function isForHost(context: KernelContext, name: string, ...tensors: tf.TensorInfo[]): boolean {
  const exact = EXACT.has(name) || COMPARISONS.includes(name) || tensors[0].dtype !== 'float32';
  return exact && staysOnHost(context, ...tensors);
}

/** Launches a kernel of one tensor (x, y, count). */
function launchEach(context: KernelContext, name: string, x: tf.TensorInfo, y: tf.TensorInfo): void {
  const count = sizeOf(x.shape);
  if (count === 0) return;
  const [from, to] = [x, y].map((tensor) => ({ address: context.address(tensor) }));
  context.commands.launch(context.kernel(name), gridOf(context, count), [from, to, { long: count }]);
}

function unary(context: KernelContext, name: string, x: tf.TensorInfo, alpha = 0, beta = 0): tf.TensorInfo {
  const { address, commands, kernel, output } = context;
  const y = output(x.shape);
  const count = sizeOf(x.shape);
  if (count === 0) return y;
  commands.launch(kernel('unaryFloat'), gridOf(context, count, 1024), [
    { int: UNARY.indexOf(name) },
    { address: address(x) },
    { address: address(y) },
    { long: count },
    { float: alpha },
    { float: beta },
  ]);
  return y;
}

/** y = a ∘ b with broadcasting; false, and nothing is done, where there are too many axes. */
function binary(
  context: KernelContext,
  name: string,
  operation: number,
  [a, b]: readonly [tf.TensorInfo, tf.TensorInfo],
  y: tf.TensorInfo,
): boolean {
  const { address, commands, kernel } = context;
  const count = sizeOf(y.shape);
  if (count === 0) return true;
  const axes = broadcastAxes(y.shape, a.shape, b.shape);
  const dense = axes.length === 1 && axes[0][1] === 1 && axes[0][2] === 1;
  if (!dense && (axes.length > MAX_RANK || count > MOST_ELEMENTS)) return false;
  const column = (place: 0 | 1 | 2): number[] => {
    const values = dense ? [] : axes.map((axis) => axis[place]);
    return [...Array<number>(MAX_RANK - values.length).fill(0), ...values];
  };
  commands.launch(kernel(name), gridOf(context, count, 1024), [
    { int: operation },
    { address: address(a) },
    { address: address(b) },
    { address: address(y) },
    { ints: [dense ? 0 : axes.length, ...column(0), ...column(1), ...column(2)] },
    { long: count },
  ]);
  return true;
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
  return axes.length === 0 ? [[1, 1, 1]] : axes.reverse();
}
