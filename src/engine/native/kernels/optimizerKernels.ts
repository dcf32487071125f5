import type { KernelContext, NativeKernel } from './kernelContext.js';

/** `AdamWUpdate` and `SquaredNorm`, as src/kernels defines them: all tensors of a model in one pass. */
export function optimizerKernels({ addon, backend, numbers, output }: KernelContext): Record<string, NativeKernel> {
  return {
    AdamWUpdate: (inputs, attributes) => {
      const { learningRate, beta1, beta2, epsilon, step, gradientScale } = attributes as Record<string, number>;
      const weightDecays = attributes.weightDecays as readonly number[];
      const count = weightDecays.length;
      const tensors = Object.values(inputs);
      const [params, gradients, ms, vs] = [0, 1, 2, 3].map((part) => tensors.slice(part * count, (part + 1) * count));
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
        ms.map(backend.ownNumbers),
        vs.map(backend.ownNumbers),
        Float32Array.from(weightDecays, (weightDecay) => 1 - learningRate * weightDecay),
      );
      return [];
    },
    SquaredNorm: (tensors) => {
      const sum = output([]);
      addon.squaredNorm(Object.values(tensors).map(numbers), numbers(sum));
      return sum;
    },
  };
}
