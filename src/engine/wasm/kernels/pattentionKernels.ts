import type { FusedKernelFunctions, KernelAttributes } from '../../shared/index.js';
import { NORM_ACTIVATIONS } from './fusedKernels.js';
import type { KernelContext } from './kernelContext.js';

/** `Pattention` and `PattentionGrad`, as src/kernels/pattention defines them, in one pass over blocks of tokens. */
export function pattentionKernels(context: KernelContext): FusedKernelFunctions<'Pattention' | 'PattentionGrad'> {
  const { module, address } = context;
  const settings = ({ normActivation, gelu, epsilon, tau }: KernelAttributes<'Pattention'>): number[] => [
    NORM_ACTIVATIONS.indexOf(normActivation),
    gelu === 'tanh' ? 1 : 0,
    epsilon,
    tau,
  ];
  return {
    Pattention: ({ x, keyParamTokens, valueParamTokens }, attributes) => {
      const [tokens, dIn] = x.shape;
      const [n, dOut] = valueParamTokens.shape;
      const output = context.output([tokens, dOut]);
      const scores = context.output([tokens, n]);
      const tensors = [x, keyParamTokens, valueParamTokens, output, scores].map(address);
      context.scratch(module.pattentionScratch(dIn, n, dOut), (scratch) => {
        module.pattention(...tensors, tokens, dIn, n, dOut, ...settings(attributes), scratch);
      });
      return [output, scores];
    },
    PattentionGrad: ({ dOutput, x, keyParamTokens, valueParamTokens, scores }, attributes) => {
      const [tokens, dIn] = x.shape;
      const [n, dOut] = valueParamTokens.shape;
      const dX = attributes.wantInput ? context.output([tokens, dIn]) : undefined;
      const dKeys = attributes.wantParams ? context.output([n, dIn]) : undefined;
      const dValues = attributes.wantParams ? context.output([n, dOut]) : undefined;
      const tensors = [dOutput, x, keyParamTokens, valueParamTokens, scores].map(address);
      const wanted = [dX, dKeys, dValues].map((tensor) => (tensor ? address(tensor) : 0));
      context.scratch(module.pattentionGradientScratch(dIn, n, dOut), (scratch) => {
        module.pattentionGradient(...tensors, ...wanted, tokens, dIn, n, dOut, ...settings(attributes), scratch);
      });
      return [dX, dKeys, dValues].filter((tensor) => tensor !== undefined);
    },
  };
}
