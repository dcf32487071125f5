import { batchPlaces, callOne, matMulShapes, type StockKernels, type Tensors, tf } from '../../shared/index.js';
import { type KernelContext, sizeOf } from './kernelContext.js';

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
 * `_FusedMatMul`, which adds a bias and applies an activation. No model here uses the second, so it runs the kernels one
 * after the other.
 */
export function matMulKernels(context: KernelContext): StockKernels<'BatchMatMul' | '_FusedMatMul'> {
  const { addon, backend, numbers, output } = context;
  const run = (kernelName: string, inputs: Tensors, attributes = {}): tf.TensorInfo =>
    callOne(tf.getKernel(kernelName, 'native'), inputs, attributes, backend);
  return {
    _FusedMatMul: ({ a, b, bias, preluActivationWeights }, attributes) => {
      const { transposeA, transposeB, activation, leakyreluAlpha } = attributes;
      const name = ACTIVATIONS[activation];
      if (name === undefined && (activation ?? 'linear') !== 'linear') {
        throw new Error(`_FusedMatMul: expected linear, ${Object.keys(ACTIVATIONS).join(', ')}; got ${activation}`);
      }
      const replaced = (x: tf.TensorInfo, y: tf.TensorInfo): tf.TensorInfo => {
        backend.disposeData(x.dataId);
        return y;
      };
      const product = run('BatchMatMul', { a, b }, { transposeA, transposeB });
      const sum = bias === undefined ? product : replaced(product, run('Add', { a: product, b: bias }));
      if (name === undefined) return sum;
      const inputs: Tensors = preluActivationWeights ? { x: sum, alpha: preluActivationWeights } : { x: sum };
      return replaced(sum, run(name, inputs, { alpha: leakyreluAlpha }));
    },
    BatchMatMul: ({ a, b }, attributes) => {
      const { m, n, depth, batch, batchA, batchB } = matMulShapes('native', a, b, attributes);
      const count = sizeOf(batch);
      const result = output([...batch, m, n]); // [...batch, m, n]
      const [left, right, to] = [a, b, result].map(numbers);
      const flags = [attributes.transposeA === true, attributes.transposeB === true];
      const sizes = { a: sizeOf(batchA), b: sizeOf(batchB) };
      if (sizes.b === 1 && !attributes.transposeA) {
        // One right operand for the whole batch: all rows of A are one tall matrix.
        addon.matMul(1, m * sizes.a, n, depth, ...flags, false, false, false, left, right, to);
      } else if ([1, count].includes(sizes.a) && [1, count].includes(sizes.b)) {
        addon.matMul(count, m, n, depth, ...flags, sizes.a === 1, sizes.b === 1, false, left, right, to);
      } else {
        const placeA = batchPlaces(batch, batchA);
        const placeB = batchPlaces(batch, batchB);
        for (let i = 0; i < count; i++) {
          const from = left.subarray(placeA(i) * m * depth);
          const by = right.subarray(placeB(i) * depth * n);
          addon.matMul(1, m, n, depth, ...flags, false, false, false, from, by, to.subarray(i * m * n));
        }
      }
      return result;
    },
  };
}
