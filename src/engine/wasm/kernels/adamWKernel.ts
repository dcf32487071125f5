import type { KernelContext, WasmKernel } from './kernelContext.js';

/** `AdamWStep`, as src/kernels/adamWStep defines it, in one pass over the parameter. */
export function adamWKernel(context: KernelContext): Record<string, WasmKernel> {
  return {
    AdamWStep: ({ param, gradient, m, v }, attributes) => {
      const { learningRate, beta1, beta2, epsilon, weightDecay, step, gradientScale } = attributes as Record<
        string,
        number
      >;
      const results = [param, m, v].map(({ shape }) => context.output(shape));
      const count = param.shape.reduce((product, size) => product * size, 1);
      context.module.adamWStep(
        ...[param, gradient, m, v, ...results].map(context.address),
        count,
        gradientScale,
        beta1,
        1 - beta1,
        beta2,
        1 - beta2,
        1 - learningRate * weightDecay,
        learningRate / (1 - beta1 ** step),
        1 - beta2 ** step,
        epsilon,
      );
      return results;
    },
  };
}
