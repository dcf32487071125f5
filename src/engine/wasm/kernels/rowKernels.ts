import type { FusedKernelFunctions } from '../../shared/index.js';
import type { KernelContext } from './kernelContext.js';

/** Kernels that go row by row: layer normalisation and cross-entropy, as src/kernels defines them. */
export function rowKernels(
  context: KernelContext,
): FusedKernelFunctions<'LayerNormalize' | 'LayerNormalizeGrad' | 'SoftmaxCrossEntropy' | 'SoftmaxCrossEntropyGrad'> {
  const { module, address } = context;
  return {
    LayerNormalize: ({ x }, { epsilon }) => {
      const [rows, width] = x.shape;
      const output = context.output([rows, width]);
      const inverseDeviation = context.output([rows, 1]);
      module.layerNormalize(...[x, output, inverseDeviation].map(address), rows, width, epsilon);
      return [output, inverseDeviation];
    },
    LayerNormalizeGrad: ({ dOutput, output, inverseDeviation }) => {
      const [rows, width] = output.shape;
      const dX = context.output([rows, width]);
      module.layerNormalizeGradient(...[dOutput, output, inverseDeviation, dX].map(address), rows, width);
      return [dX];
    },
    SoftmaxCrossEntropy: ({ logits, labels, weights }) => {
      const [rows, classes] = logits.shape;
      const losses = context.output([rows]);
      const logSumExp = context.output([rows]);
      module.softmaxCrossEntropy(...[logits, labels, weights, losses, logSumExp].map(address), rows, classes);
      return [losses, logSumExp];
    },
    SoftmaxCrossEntropyGrad: ({ dLosses, logits, labels, weights, logSumExp }) => {
      const [rows, classes] = logits.shape;
      const dLogits = context.output([rows, classes]);
      const tensors = [dLosses, logits, labels, weights, logSumExp, dLogits].map(address);
      module.softmaxCrossEntropyGradient(...tensors, rows, classes);
      return [dLogits];
    },
  };
}
