/**
 * @file Kernels of TensorFlow.js 4.22 that training cannot use on webgpu as they are shipped. Two add floats with atomics, in
 * whatever order the threads arrive, where equal input must give equal bits; two fail on what training gives them.
 */
import { repairKernels, type ShippedKernel, type Tensors, tf } from '../shared/index.js';
import type { Program, WebgpuBackend } from './backend.js';

/** The flag that overrides the backend's choice of shader, and its number of `MatMulSmallOutputSizeProgram`. */
const PROGRAM_FLAG = 'WEBGPU_MATMUL_PROGRAM_TYPE';
const SMALL_OUTPUT_PROGRAM = 2;

/** Puts the repaired kernels in place; the webgpu backend must be imported, and this must run once. */
export function repairWebgpuKernels(): void {
  repairKernels('webgpu', {
    AddN: addInParts,
    BatchMatMul: orderedBatchMatMul,
    Sum: sumOfNothing,
    UnsortedSegmentSum: orderedSegmentSum,
  });
}

/**
 * `AddN` of any number of tensors. The shipped kernel binds them all at once, and a shader may read seven where the device
 * allows it eight buffers. The sum is the same, from left to right.
 */
function addInParts(addN: ShippedKernel) {
  return (inputs: readonly tf.TensorInfo[], attrs: object, backend: WebgpuBackend): tf.TensorInfo => {
    const atOnce = backend.device.limits.maxStorageBuffersPerShaderStage - 1;
    let sum = addN(inputs.slice(0, atOnce), attrs, backend);
    for (let added = atOnce; added < inputs.length; added += atOnce - 1) {
      const next = addN([sum, ...inputs.slice(added, added + atOnce - 1)], attrs, backend);
      backend.disposeData(sum.dataId);
      sum = next;
    }
    return sum;
  };
}

/** `Sum` over no numbers is 0; the shipped kernel asks for NaN outputs. */
function sumOfNothing(sum: ShippedKernel) {
  return ({ x }: Tensors, attrs: tf.SumAttrs, backend: WebgpuBackend): tf.TensorInfo => {
    if (tf.util.sizeFromShape(x.shape) > 0) return sum({ x }, attrs, backend);
    const { axis, keepDims } = attrs;
    const axes = tf.util.parseAxisParam(axis, x.shape);
    const [kept] = tf.backend_util.computeOutAndReduceShapes(x.shape, axes);
    const shape = keepDims ? tf.backend_util.expandShapeToKeepDim(kept, axes) : kept;
    const zeros = new Float32Array(tf.util.sizeFromShape(shape));
    return backend.makeTensorInfo(shape, tf.sumOutType(x.dtype), zeros);
  };
}

/**
 * `BatchMatMul` that never splits the inner dimension over workgroups. The backend does so for a single product with an
 * inner dimension of 2000 or more and at most 32 output tiles of 32 × 32: the gradient of a small weight.
 */
function orderedBatchMatMul(product: ShippedKernel) {
  return ({ a, b }: Tensors, attrs: tf.BatchMatMulAttrs, backend: WebgpuBackend): tf.TensorInfo => {
    const { transposeA, transposeB } = attrs;
    const rows = a.shape.at(transposeA ? -1 : -2)!;
    const inner = a.shape.at(transposeA ? -2 : -1)!;
    const columns = b.shape.at(transposeB ? -2 : -1)!;
    const mayBeSplit = inner >= 2000 && rows * columns > 128 && Math.ceil(rows / 32) * Math.ceil(columns / 32) <= 32;
    if (!mayBeSplit) return product({ a, b }, attrs, backend);
    const chosen = tf.env().getNumber(PROGRAM_FLAG);
    tf.env().set(PROGRAM_FLAG, SMALL_OUTPUT_PROGRAM);
    try {
      return product({ a, b }, attrs, backend);
    } finally {
      tf.env().set(PROGRAM_FLAG, chosen);
    }
  };
}

/**
 * `y[s, c] = Σ x[i, c] over all i with segmentIds[i] = s`, one thread per output that walks the ids in order. Integers
 * stay with the shipped kernel, whose order does not matter to them.
 *
 * - x `[...idShape, ...inner]`; segmentIds `[...idShape]`, int32; y `[numSegments, ...inner]`
 */
function orderedSegmentSum(shipped: ShippedKernel) {
  return ({ x, segmentIds }: Tensors, attrs: tf.UnsortedSegmentSumAttrs, backend: WebgpuBackend): tf.TensorInfo => {
    if (x.dtype !== 'float32') return shipped({ x, segmentIds }, attrs, backend);
    const innerShape = x.shape.slice(segmentIds.shape.length);
    const rows = tf.util.sizeFromShape(segmentIds.shape);
    const width = tf.util.sizeFromShape(innerShape);
    const outputShape = [attrs.numSegments, width];
    const program: Program = {
      variableNames: ['x', 'segmentIds'],
      outputShape,
      workgroupSize: [64, 1, 1],
      dispatchLayout: { x: [0, 1] },
      dispatch: [Math.ceil(tf.util.sizeFromShape(outputShape) / 64), 1, 1],
      size: true,
      shaderKey: 'orderedSegmentSum',
      getUserCode: () => `
        fn main(index : i32) {
          if (index < uniforms.size) {
            let segment = index / uniforms.xShape.y;
            let column = index % uniforms.xShape.y;
            var sum = 0.0;
            for (var row = 0; row < uniforms.xShape.x; row++) {
              if (segmentIds[row] == segment) {
                sum += x[row * uniforms.xShape.y + column];
              }
            }
            setOutputAtIndex(index, sum);
          }
        }
      `,
    };
    const flatX = { ...x, shape: [rows, width] };
    const flatIds = { ...segmentIds, shape: [rows] };
    const sums = backend.runWebGPUProgram(program, [flatX, flatIds], 'float32');
    return { ...sums, shape: [outputShape[0], ...innerShape] };
  };
}
