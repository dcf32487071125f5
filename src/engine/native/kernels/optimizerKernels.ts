import type { FusedKernelFunctions } from '../../shared/index.js';
import type { KernelContext } from './kernelContext.js';

/** `AdamWUpdate` and `SquaredNorm`, as src/kernels defines them: all tensors of a model in one pass. */
export function optimizerKernels({
  addon,
  backend,
  numbers,
  output,
}: KernelContext): FusedKernelFunctions<'AdamWUpdate' | 'SquaredNorm'> {
  return {
    AdamWUpdate: ({ params, gradients, m, v }, attributes) => {
      const { learningRate, beta1, beta2, epsilon, step, gradientScale, weightDecays } = attributes;
      addon.adamW(
        gradientScale,
        beta1,
        1 - beta1,
        beta2,
        1 - beta2,
        learningRate / (1 - beta1 ** step),
        1 - beta2 ** step,
        epsilon,
        params.map(backend.ownNumbers),
        gradients.map(numbers),
        m.map(backend.ownNumbers),
        v.map(backend.ownNumbers),
        Float32Array.from(weightDecays, (weightDecay) => 1 - learningRate * weightDecay),
      );
      return [];
    },
    SquaredNorm: ({ tensors }) => {
      const sum = output([]);
      addon.squaredNorm(tensors.map(numbers), numbers(sum));
      return [sum];
    },
  };
}
