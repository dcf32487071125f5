/**
 * @file What training needs and TensorFlow.js 4.22 lacks or gets wrong on wasm, corrected under the same kernel names.
 *
 * Kernels registered for cpu and not for wasm: Complex, ComplexAbs, Real, Imag, FFT, IFFT, Einsum, Draw, Ragged*,
 * StaticRegexReplace, Conv2DBackpropFilter, DepthwiseConv2dNativeBackprop{Filter,Input}, UnsortedSegmentSum. Only the
 * last one is in the way of a transformer (gradient of `gather`, tfjs issue #8082): convolutions are written as reshape
 * and matMul here, and `einsum` has no gradient on any backend. Registered but wrong: the kernels for masks below.
 *
 * Left as they are: ClipByValue, IsNan, IsFinite and Reciprocal of int32, and arithmetic of bool, give wrong numbers.
 */
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { callOne, repairKernels, type ShippedKernel, type Tensors, tf } from '../shared/index.js';

/** A repaired kernel, whatever its attributes. */
type Kernel = (inputs: Tensors, attributes: object, backend: BackendWasm) => tf.TensorInfo;

const repairs = {
  BatchMatMul: transposeFirst,
  UnsortedSegmentSum: () => unsortedSegmentSum,
  Cast: castToTruth,
  Reverse: (shipped: ShippedKernel) => widenBool('x', shipped),
  Select: (shipped: ShippedKernel) => widenBool('t', shipped),
  StridedSlice: (shipped: ShippedKernel) => widenBool('x', keepDtype(shipped)),
};

/**
 * Puts the repaired kernels in place; the wasm backend must be running, and this must run once.
 *
 * @param except kernels that something faster has replaced already
 */
export function repairWasmKernels(except: readonly string[] = []): void {
  repairKernels('wasm', Object.fromEntries(Object.entries(repairs).filter(([name]) => !except.includes(name))));
}

function runKernel(kernelName: string, inputs: Tensors, attributes: object, backend: BackendWasm): tf.TensorInfo {
  return callOne(tf.getKernel(kernelName, 'wasm'), inputs, attributes, backend);
}

/**
 * `BatchMatMul` that transposes operands before the product: the fast XNNPACK path takes only one untransposed
 * [m, k] · [k, n], and every backward pass has a transposed operand. Batched products have no fast path to gain.
 */
function transposeFirst(shipped: ShippedKernel) {
  return ({ a, b }: Tensors, attrs: tf.BatchMatMulAttrs, backend: BackendWasm): tf.TensorInfo => {
    const single = (x: tf.TensorInfo): boolean => x.shape.slice(0, -2).every((size) => size === 1);
    if (!(attrs.transposeA || attrs.transposeB) || !single(a) || !single(b)) {
      return shipped({ a, b }, attrs, backend);
    }
    const untransposed = (x: tf.TensorInfo, transposed: boolean): tf.TensorInfo => {
      if (!transposed) return x;
      const axes = x.shape.map((_, axis) => axis);
      const perm = [...axes.slice(0, -2), ...axes.slice(-2).reverse()];
      return runKernel(tf.Transpose, { x }, { perm }, backend);
    };
    const left = untransposed(a, attrs.transposeA); // [..., m, k]
    const right = untransposed(b, attrs.transposeB); // [..., k, n]
    const flags = { ...attrs, transposeA: false, transposeB: false };
    const result = shipped({ a: left, b: right }, flags, backend);
    if (left !== a) backend.disposeData(left.dataId);
    if (right !== b) backend.disposeData(right.dataId);
    return result; // [..., m, n]
  };
}

/**
 * `y[s, ...] = Σ x[i, ...] over all i with segmentIds[i] = s`, rows added in order, so that equal input gives equal bits.
 * Rows with an id outside [0, numSegments) are dropped, as on cpu.
 *
 * - x `[...idShape, ...inner]`, float32 or int32; segmentIds `[...idShape]`, int32; y `[numSegments, ...inner]`
 */
function unsortedSegmentSum(
  { x, segmentIds }: Tensors,
  { numSegments }: tf.UnsortedSegmentSumAttrs,
  backend: BackendWasm,
): tf.TensorInfo {
  const innerShape = x.shape.slice(segmentIds.shape.length);
  const width = tf.util.sizeFromShape(innerShape);
  const result = backend.makeOutput([numSegments, ...innerShape], x.dtype);
  // Views of the heap come after the allocation, which may move it.
  const sums = backend.typedArrayFromHeap(result).fill(0);
  const values = backend.typedArrayFromHeap(x);
  const ids = backend.typedArrayFromHeap(segmentIds);
  for (let row = 0, at = 0; row < ids.length; row++) {
    const id = ids[row];
    if (id < 0 || id >= numSegments) {
      at += width;
      continue;
    }
    const start = id * width;
    for (let column = 0; column < width; column++) sums[start + column] += values[at++];
  }
  return result;
}

/** `Cast` to bool as `x ≠ 0`; the shipped kernel keeps the lowest byte of the whole part, so that 0.5 and 256 are false. */
function castToTruth(shipped: ShippedKernel) {
  return ({ x }: Tensors, attrs: tf.CastAttrs, backend: BackendWasm): tf.TensorInfo => {
    if (attrs.dtype !== 'bool' || x.dtype === 'bool') return shipped({ x }, attrs, backend);
    const values = x.dtype === 'int32' ? new Int32Array(1) : new Float32Array(1);
    const zero = backend.makeOutput([], x.dtype, undefined, values);
    const result = runKernel(tf.NotEqual, { a: x, b: zero }, {}, backend);
    backend.disposeData(zero.dataId);
    return result;
  };
}

/** A kernel that moves values of four bytes, made safe for bool: as shipped it writes past the end of a bool tensor. */
function widenBool(valueName: string, shipped: Kernel): Kernel {
  return (inputs, attrs, backend) => {
    if (inputs[valueName].dtype !== 'bool') return shipped(inputs, attrs, backend);
    const cast = (x: tf.TensorInfo, dtype: tf.DataType): tf.TensorInfo => runKernel(tf.Cast, { x }, { dtype }, backend);
    // The condition of a Select stays bool: it is read byte by byte.
    const names = Object.keys(inputs).filter((name) => name !== 'condition');
    const widened = Object.fromEntries(names.map((name) => [name, cast(inputs[name], 'int32')]));
    const wide = shipped({ ...inputs, ...widened }, attrs, backend);
    const result = cast(wide, 'bool');
    for (const info of [...Object.values(widened), wide]) backend.disposeData(info.dataId);
    return result;
  };
}

/** A kernel that copies the bits of int32 rightly and then calls them float32. */
function keepDtype(shipped: Kernel): Kernel {
  return (inputs, attrs, backend) => {
    const { dtype } = inputs.x;
    const result = shipped(inputs, attrs, backend);
    backend.dataIdMap.get(result.dataId).dtype = dtype;
    return { ...result, dtype };
  };
}
