import type { FusedKernelFunctions } from '../../shared/index.js';
import type { KernelContext } from './kernelContext.js';

/** `AdamWStep`, as src/kernels/adamW defines it, in one pass over the parameter. */
export function adamWKernel(context: KernelContext): FusedKernelFunctions<'AdamWStep'> {
  return {
    AdamWStep: ({ param, gradient, m, v }, attributes) => {
      const { learningRate, beta1, beta2, epsilon, weightDecay, step, gradientScale } = attributes;
      const [newParam, newM, newV] = [param, m, v].map(({ shape }) => context.output(shape));
      const count = param.shape.reduce((product, size) => product * size, 1);
      context.module.adamWStep(
        ...[param, gradient, m, v, newParam, newM, newV].map(context.address),
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
      return [newParam, newM, newV];
    },
  };
}
