/**
 * @file Equal input gives equal bits on webgpu too: as shipped in TensorFlow.js 4.22, two kernels that training needs
 * add floats with atomics, in whatever order the threads arrive.
 */
import { tf } from './tf.js';

/** The part of `WebGPUBackend` that is used here. */
interface Backend {
  runWebGPUProgram(program: object, inputs: tf.TensorInfo[], dtype: tf.DataType): tf.TensorInfo;
}

type Kernel = (args: {
  inputs: Record<string, tf.TensorInfo>;
  backend: Backend;
  attrs: Record<string, unknown>;
}) => tf.TensorInfo;

/** The flag that overrides the backend's choice of shader, and its number of `MatMulSmallOutputSizeProgram`. */
const PROGRAM_FLAG = 'WEBGPU_MATMUL_PROGRAM_TYPE';
const SMALL_OUTPUT_PROGRAM = 2;

/** Puts the repaired kernels in place; the webgpu backend must be imported, and this must run once. */
export function repairWebgpuKernels(): void {
  for (const [kernelName, repair] of [
    [tf.BatchMatMul, orderedBatchMatMul],
    [tf.UnsortedSegmentSum, orderedSegmentSum],
  ] as const) {
    const kernel = repair(tf.getKernel(kernelName, 'webgpu').kernelFunc as unknown as Kernel);
    tf.unregisterKernel(kernelName, 'webgpu');
    tf.registerKernel({ kernelName, backendName: 'webgpu', kernelFunc: kernel as unknown as tf.KernelFunc });
  }
}

/**
 * `BatchMatMul` that never splits the inner dimension over workgroups. The backend does so for a single product with an
 * inner dimension of 2000 or more and at most 32 output tiles of 32 × 32: the gradient of a small weight.
 */
function orderedBatchMatMul(product: Kernel): Kernel {
  return (args) => {
    const { a, b } = args.inputs;
    const { transposeA, transposeB } = args.attrs;
    const rows = a.shape.at(transposeA ? -1 : -2)!;
    const inner = a.shape.at(transposeA ? -2 : -1)!;
    const columns = b.shape.at(transposeB ? -2 : -1)!;
    const mayBeSplit = inner >= 2000 && rows * columns > 128 && Math.ceil(rows / 32) * Math.ceil(columns / 32) <= 32;
    if (!mayBeSplit) return product(args);
    const chosen = tf.env().getNumber(PROGRAM_FLAG);
    tf.env().set(PROGRAM_FLAG, SMALL_OUTPUT_PROGRAM);
    try {
      return product(args);
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
function orderedSegmentSum(shipped: Kernel): Kernel {
  return (args) => {
    const { x, segmentIds } = args.inputs;
    if (x.dtype !== 'float32') return shipped(args);
    const innerShape = x.shape.slice(segmentIds.shape.length);
    const rows = tf.util.sizeFromShape(segmentIds.shape);
    const width = tf.util.sizeFromShape(innerShape);
    const outputShape = [args.attrs.numSegments as number, width];
    const program = {
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
    const sums = args.backend.runWebGPUProgram(program, [flatX, flatIds], 'float32');
    return { ...sums, shape: [outputShape[0], ...innerShape] };
  };
}
