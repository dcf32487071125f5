import type { FusedKernelFunctions, tf } from '../../shared/index.js';
import type { NumberArray } from '../addon.js';
import { expectRank, type KernelContext, sizeOf } from './kernelContext.js';

/** What both kernels read, besides the weights. */
interface Operands {
  readonly states: tf.TensorInfo;
  readonly embedding: tf.TensorInfo;
  readonly labels: tf.TensorInfo;
}

/**
 * `LinearCrossEntropy` and `LinearCrossEntropyGrad`, as src/kernels/linearCrossEntropy defines them. The gradients that
 * come with the losses are those of their sum; the second kernel scales them where all losses have one factor, as in a
 * sum or a mean, and recomputes everything otherwise.
 */
export function linearCrossEntropyKernels(
  context: KernelContext,
): FusedKernelFunctions<'LinearCrossEntropy' | 'LinearCrossEntropyGrad'> {
  const { addon, backend, numbers, output } = context;

  /** Losses and the wanted gradients of their sum. */
  function compute({ states, embedding, labels }: Operands, weights: NumberArray, wanted: [boolean, boolean]) {
    const [rows, dModel] = states.shape;
    const losses = output([rows]);
    const gradients = [states, embedding].map(({ shape }, i) => (wanted[i] ? output(shape) : undefined));
    const arrays = [states, embedding, labels].map(numbers);
    const results = gradients.map((tensor) => tensor && numbers(tensor));
    addon.linearCrossEntropy(rows, dModel, embedding.shape[0], ...arrays, weights, numbers(losses), ...results);
    return { losses, gradients: gradients.filter((tensor) => tensor !== undefined) };
  }

  function scaled(x: tf.TensorInfo, factor: number): tf.TensorInfo {
    if (factor === 1) return backend.sameNumbers(x, x.shape);
    const result = output(x.shape);
    // The sum of one row, times the factor.
    addon.sumColumns(1, 1, sizeOf(x.shape), factor, numbers(x), numbers(result));
    return result;
  }

  return {
    LinearCrossEntropy: (inputs, { wantStates, wantEmbedding }) => {
      expectRank('LinearCrossEntropy', 'states', inputs.states, 2);
      expectRank('LinearCrossEntropy', 'embedding', inputs.embedding, 2);
      const { losses, gradients } = compute(inputs, numbers(inputs.weights), [wantStates, wantEmbedding]);
      return [losses, ...gradients];
    },
    LinearCrossEntropyGrad: (inputs) => {
      const { dLosses, weights, dStates, dEmbedding } = inputs;
      const factors = numbers(dLosses);
      const rowWeights = numbers(weights);
      const counted = Array.from(rowWeights.keys()).filter((row) => rowWeights[row] !== 0);
      const factor = counted.length === 0 ? 1 : factors[counted[0]];
      const ofSum = [dStates, dEmbedding].filter((tensor) => tensor !== undefined);
      if (counted.every((row) => factors[row] === factor)) return ofSum.map((tensor) => scaled(tensor, factor));
      const { losses, gradients } = compute(
        inputs,
        Float32Array.from(rowWeights, (weight, row) => weight * factors[row]),
        [dStates !== undefined, dEmbedding !== undefined],
      );
      backend.disposeData(losses.dataId);
      return gradients;
    },
  };
}
