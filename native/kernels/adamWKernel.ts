import { type KernelContext, type NativeKernel, sizeOf } from './kernelContext.js';

/** `AdamWStep`, as src/kernels/adamWStep defines it, in one pass over the parameter. */
export function adamWKernel({ addon, numbers, output }: KernelContext): Record<string, NativeKernel> {
  return {
    AdamWStep: ({ param, gradient, m, v }, attributes) => {
      const { learningRate, beta1, beta2, epsilon, weightDecay, step, gradientScale } = attributes as Record<
        string,
        number
      >;
      const results = [param, m, v].map(({ shape }) => output(shape));
      addon.adamW(
        sizeOf(param.shape),
        gradientScale,
        beta1,
        1 - beta1,
        beta2,
        1 - beta2,
        1 - learningRate * weightDecay,
        learningRate / (1 - beta1 ** step),
        1 - beta2 ** step,
        epsilon,
        ...[param, gradient, m, v, ...results].map(numbers),
      );
      return results;
    },
  };
}
