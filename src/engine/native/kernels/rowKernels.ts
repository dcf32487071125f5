import type { FusedKernelFunctions, StockKernels } from '../../shared/index.js';
import { tf } from '../../shared/index.js';
import { allFloat, expectRank, type KernelContext, sizeOf } from './kernelContext.js';

/** Layer normalization and cross-entropy, row by row. */
export function rowKernels({
  addon,
  numbers,
  output,
}: KernelContext): FusedKernelFunctions<
  'LayerNormalize' | 'LayerNormalizeGrad' | 'SoftmaxCrossEntropy' | 'SoftmaxCrossEntropyGrad'
> {
  return {
    LayerNormalize: ({ x }, { epsilon }) => {
      expectRank('LayerNormalize', 'x', x, 2);
      const [rows, width] = x.shape;
      const [result, inverseDeviation] = [output([rows, width]), output([rows, 1])];
      addon.layerNormalize(rows, width, epsilon, ...[x, result, inverseDeviation].map(numbers));
      return [result, inverseDeviation];
    },
    LayerNormalizeGrad: ({ dOutput, output: normalized, inverseDeviation }) => {
      expectRank('LayerNormalizeGrad', 'output', normalized, 2);
      const [rows, width] = normalized.shape;
      const dX = output([rows, width]);
      addon.layerNormalizeGradient(rows, width, false, ...[dOutput, normalized, inverseDeviation, dX].map(numbers));
      return [dX];
    },
    SoftmaxCrossEntropy: ({ logits, labels, weights }) => {
      expectRank('SoftmaxCrossEntropy', 'logits', logits, 2);
      const [rows, classes] = logits.shape;
      const [losses, logSumExp] = [output([rows]), output([rows])];
      addon.crossEntropy(rows, classes, ...[logits, labels, weights, losses, logSumExp].map(numbers));
      return [losses, logSumExp];
    },
    SoftmaxCrossEntropyGrad: ({ dLosses, logits, labels, weights, logSumExp }) => {
      expectRank('SoftmaxCrossEntropyGrad', 'logits', logits, 2);
      const [rows, classes] = logits.shape;
      const dLogits = output([rows, classes]);
      const tensors = [dLosses, logits, labels, weights, logSumExp, dLogits].map(numbers);
      addon.crossEntropyGradient(rows, classes, ...tensors);
      return [dLogits];
    },
  };
}

/** TensorFlow.js' kernels that go row by row: softmax and the place of the largest number. */
export function stockRowKernels({ addon, numbers, output, stock }: KernelContext): StockKernels<'ArgMax' | 'Softmax'> {
  return {
    ArgMax: ({ x }, { axis }) => {
      const [along] = tf.util.parseAxisParam(axis, x.shape);
      const width = x.shape[along];
      if (!allFloat(x) || along !== x.shape.length - 1 || width === 0) return stock('ArgMax', { x }, { axis });
      const result = output(x.shape.slice(0, -1), 'int32');
      addon.argMax(sizeOf(result.shape), width, numbers(x), numbers(result));
      return result;
    },
    Softmax: ({ logits }, { dim }) => {
      const last = logits.shape.length - 1;
      if (!allFloat(logits) || (dim !== -1 && dim !== last)) return stock('Softmax', { logits }, { dim });
      const result = output(logits.shape);
      const width = logits.shape[last] ?? 1;
      const rows = width === 0 ? 0 : sizeOf(logits.shape) / width;
      addon.softmax(rows, width, numbers(logits), numbers(result));
      return result;
    },
  };
}
