import { batchPlaces, callOne, matMulShapes, type StockKernels, type Tensors, tf } from '../../shared/index.js';
import type { Matrix, Product } from './commands.js';
import { gridOf, type KernelContext, sizeOf } from './context.js';
import { fill } from './movementKernels.js';

/** Activations of `_FusedMatMul`, and the kernels that compute them. */
const ACTIVATIONS: Readonly<Record<string, string>> = {
  relu: 'Relu',
  relu6: 'Relu6',
  elu: 'Elu',
  prelu: 'Prelu',
  leakyrelu: 'LeakyRelu',
  sigmoid: 'Sigmoid',
};

/** Products of up to this many rows are float32 at every precision. */
const EXACT_ROWS = 4;

/**
 * `BatchMatMul`, C = A B with either operand stored transposed, batch dimensions broadcast as in NumPy, in the engine's precision,
 * and `_FusedMatMul`, which adds a bias and applies an activation. No model here uses the second, so it runs the kernels one
 * after the other.
 */
export function matMulKernels(context: KernelContext): StockKernels<'BatchMatMul' | '_FusedMatMul'> {
  const { address, backend, commands, kernel, output, precision, scratch } = context;
  const run = (kernelName: string, inputs: Tensors, attributes = {}): tf.TensorInfo =>
    callOne(tf.getKernel(kernelName, 'cuda'), inputs, attributes, backend);

  /** The address of a tensor's numbers rounded to bf16. */
  function roundedToBf16(tensor: tf.TensorInfo): number {
    const count = sizeOf(tensor.shape);
    const rounded = scratch(count * 2);
    const args = [{ address: address(tensor) }, { address: rounded }, { long: count }];
    commands.launch(kernel('castFloatToBf16'), gridOf(context, count, 1024), args);
    return rounded;
  }

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
      const { m, n, depth, batch, batchA, batchB } = matMulShapes('cuda', a, b, attributes);
      const [transposeA, transposeB] = [attributes.transposeA === true, attributes.transposeB === true];
      const count = sizeOf(batch);
      const result = output([...batch, m, n]); // [...batch, m, n]
      if (depth === 0) fill(context, result, 0);
      if (count * m * n * depth === 0) return result;
      const sizes = { a: sizeOf(batchA), b: sizeOf(batchB) };
      // One right operand for the whole batch: all rows of A are one tall matrix.
      const tall = sizes.b === 1 && !transposeA;
      const rows = tall ? m * sizes.a : m;
      const compute = rows > EXACT_ROWS ? precision() : 'highest';
      const halved = compute === 'bf16';
      const [left, right] = [a, b].map((tensor) => (halved ? roundedToBf16(tensor) : address(tensor)));
      const bytes = halved ? 2 : 4;
      const to = address(result);
      const product = (from: Matrix, by: Matrix, into: Matrix, given: Partial<Product> = {}): void =>
        commands.product({
          a: from,
          b: by,
          c: into,
          operands: halved ? 'bf16' : 'float32',
          result: 'float32',
          compute: compute === 'highest' ? 'float32' : compute,
          transposeA,
          transposeB,
          m,
          n,
          k: depth,
          ...given,
        });
      const [stride, byStride] = [transposeA ? m : depth, transposeB ? depth : n];
      const [size, bySize] = [m * depth, depth * n];
      if (tall) {
        const c = { address: to, stride: n };
        product({ address: left, stride }, { address: right, stride: byStride }, c, { m: rows });
      } else if ([1, count].includes(sizes.a) && [1, count].includes(sizes.b)) {
        const from = { address: left, stride, batchStride: sizes.a === 1 ? 0 : size };
        const by = { address: right, stride: byStride, batchStride: sizes.b === 1 ? 0 : bySize };
        product(from, by, { address: to, stride: n, batchStride: m * n }, { batch: count });
      } else {
        const placeA = batchPlaces(batch, batchA);
        const placeB = batchPlaces(batch, batchB);
        for (let i = 0; i < count; i++) {
          const from = { address: left + placeA(i) * size * bytes, stride };
          const by = { address: right + placeB(i) * bySize * bytes, stride: byStride };
          product(from, by, { address: to + i * m * n * 4, stride: n });
        }
      }
      return result;
    },
  };
}
