import type { TensorInfo, Tensors } from '../tensorFlow.js';
import { allFloat, type KernelContext, type NativeKernel, sizeOf } from './kernelContext.js';

/** Activations of `_FusedMatMul`, and the kernels that compute them. */
const ACTIVATIONS: Readonly<Record<string, string>> = {
  relu: 'Relu',
  relu6: 'Relu6',
  elu: 'Elu',
  prelu: 'Prelu',
  leakyrelu: 'LeakyRelu',
  sigmoid: 'Sigmoid',
};

/**
 * `BatchMatMul`, C = A B with either operand stored transposed, batch dimensions broadcast as in NumPy, and
 * `_FusedMatMul`, which adds a bias and applies an activation. No model here uses the second, so it is the kernels one
 * after the other.
 */
export function matMulKernels(context: KernelContext): Record<string, NativeKernel> {
  const { tf, addon, backend, numbers, output } = context;
  const run = (kernelName: string, inputs: Tensors, attrs = {}): TensorInfo =>
    tf.getKernel(kernelName, 'native')?.kernelFunc({ inputs, backend, attrs }) as TensorInfo;
  return {
    _FusedMatMul: ({ a, b, bias, preluActivationWeights }, attributes) => {
      const { transposeA, transposeB, activation, leakyreluAlpha } = attributes;
      const name = ACTIVATIONS[activation as string];
      if (name === undefined && (activation ?? 'linear') !== 'linear') {
        throw new Error(`_FusedMatMul: expected linear, ${Object.keys(ACTIVATIONS).join(', ')}; got ${activation}`);
      }
      const replaced = (x: TensorInfo, y: TensorInfo): TensorInfo => {
        backend.disposeData(x.dataId);
        return y;
      };
      const product = run('BatchMatMul', { a, b }, { transposeA, transposeB });
      const sum = bias === undefined ? product : replaced(product, run('Add', { a: product, b: bias }));
      if (name === undefined) return sum;
      const inputs: Tensors = preluActivationWeights ? { x: sum, alpha: preluActivationWeights } : { x: sum };
      return replaced(sum, run(name, inputs, { alpha: leakyreluAlpha }));
    },
    BatchMatMul: ({ a, b }, { transposeA, transposeB }) => {
      if (!allFloat(a, b)) {
        throw new Error(`BatchMatMul: expected float32 operands on native, got ${a.dtype} and ${b.dtype}`);
      }
      if (a.shape.length < 2 || b.shape.length < 2) {
        throw new Error(`BatchMatMul: expected matrices, got [${a.shape}] and [${b.shape}]`);
      }
      const [aRows, aColumns] = a.shape.slice(-2);
      const [bRows, bColumns] = b.shape.slice(-2);
      const [m, depth] = transposeA ? [aColumns, aRows] : [aRows, aColumns];
      const [bDepth, n] = transposeB ? [bColumns, bRows] : [bRows, bColumns];
      if (depth !== bDepth) {
        const transposed = `transposeA=${transposeA === true}, transposeB=${transposeB === true}`;
        throw new Error(
          `BatchMatMul: expected inner sizes to agree, got [${a.shape}] · [${b.shape}] with ${transposed}`,
        );
      }
      const batchA = a.shape.slice(0, -2);
      const batchB = b.shape.slice(0, -2);
      const batch = tf.broadcast_util.assertAndGetBroadcastShape(batchA, batchB);
      const count = sizeOf(batch);
      const result = output([...batch, m, n]); // [...batch, m, n]
      const [left, right, to] = [a, b, result].map(numbers) as Float32Array[];
      const flags = [transposeA === true, transposeB === true];
      const sizes = { a: sizeOf(batchA), b: sizeOf(batchB) };
      if (sizes.b === 1 && !transposeA) {
        // One right operand for the whole batch: all rows of A are one tall matrix.
        addon.matMul(1, m * sizes.a, n, depth, ...flags, false, false, left, right, to);
      } else if ([1, count].includes(sizes.a) && [1, count].includes(sizes.b)) {
        addon.matMul(count, m, n, depth, ...flags, sizes.a === 1, sizes.b === 1, left, right, to);
      } else {
        const placeA = batchPlaces(batch, batchA);
        const placeB = batchPlaces(batch, batchB);
        for (let i = 0; i < count; i++) {
          const from = left.subarray(placeA(i) * m * depth);
          const by = right.subarray(placeB(i) * depth * n);
          addon.matMul(1, m, n, depth, ...flags, false, false, from, by, to.subarray(i * m * n));
        }
      }
      return result;
    },
  };
}

/** Index in the batch → index among the matrices of an operand whose batch dimensions broadcast to it. */
function batchPlaces(batch: readonly number[], own: readonly number[]): (index: number) => number {
  return (index) => {
    let place = 0;
    let stride = 1;
    let rest = index;
    for (let axis = batch.length - 1; axis >= 0; axis--) {
      const size = own[axis - batch.length + own.length] ?? 1;
      if (size > 1) place += (rest % batch[axis]) * stride;
      stride *= size;
      rest = Math.floor(rest / batch[axis]);
    }
    return place;
  };
}
