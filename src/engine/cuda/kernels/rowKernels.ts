import type { FusedKernelFunctions } from '../../shared/index.js';
import { tensorArithmetic } from './arithmetic.js';
import { expectLabels, expectRank, type KernelContext } from './context.js';
import { encodeLayerNorm, encodeLayerNormGradient } from './rowCommands.js';

const THREADS = 256;

/** Layer normalization and cross-entropy, row by row. */
export function rowKernels(
  context: KernelContext,
): FusedKernelFunctions<'LayerNormalize' | 'LayerNormalizeGrad' | 'SoftmaxCrossEntropy' | 'SoftmaxCrossEntropyGrad'> {
  const { output, address, commands, kernel } = context;
  return {
    LayerNormalize: ({ x }, { epsilon }) => {
      expectRank('LayerNormalize', 'x', x, 2);
      const [rows, width] = x.shape;
      const [result, inverseDeviation] = [output([rows, width]), output([rows, 1])];
      const places = { x: address(x), normalized: address(result), inverseDeviation: address(inverseDeviation) };
      encodeLayerNorm(context, tensorArithmetic(context), { rows, width }, epsilon, places);
      return [result, inverseDeviation];
    },
    LayerNormalizeGrad: ({ dOutput, output: normalized, inverseDeviation }) => {
      expectRank('LayerNormalizeGrad', 'output', normalized, 2);
      const [rows, width] = normalized.shape;
      const dX = output([rows, width]);
      const places = {
        ...{ dY: address(dOutput), y: address(normalized) },
        ...{ inverseDeviation: address(inverseDeviation), stream: address(dX) },
      };
      encodeLayerNormGradient(context, tensorArithmetic(context), { rows, width }, places, false);
      return [dX];
    },
    SoftmaxCrossEntropy: ({ logits, labels, weights }) => {
      expectRank('SoftmaxCrossEntropy', 'logits', logits, 2);
      expectLabels(context, 'SoftmaxCrossEntropy', labels, weights, logits.shape[1]);
      const [rows, classes] = logits.shape;
      const [losses, logSumExp] = [output([rows]), output([rows])];
      if (rows > 0) {
        const places = [labels, weights, losses, logSumExp].map((tensor) => ({ address: address(tensor) }));
        const args = [{ address: address(logits) }, { int: classes }, ...places];
        commands.launch(kernel('softmax_cross_entropy'), { grid: [rows], threads: THREADS }, args);
      }
      return [losses, logSumExp];
    },
    SoftmaxCrossEntropyGrad: ({ dLosses, logits, labels, weights, logSumExp }) => {
      expectRank('SoftmaxCrossEntropyGrad', 'logits', logits, 2);
      const [rows, classes] = logits.shape;
      const dLogits = output([rows, classes]);
      if (rows > 0) {
        const places = [labels, weights, logSumExp, dLogits].map((tensor) => ({ address: address(tensor) }));
        const args = [{ address: address(dLosses) }, { address: address(logits) }, { int: classes }, ...places];
        commands.launch(kernel('softmax_cross_entropy_gradient'), { grid: [rows], threads: THREADS }, args);
      }
      return [dLogits];
    },
  };
}
