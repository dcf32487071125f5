import { type Attributes, expectRank, type KernelContext, type NativeKernel } from './kernelContext.js';

/** As src/kernels.h numbers them. */
const MODES = ['l2NormGelu', 'geluL2Norm', 'softmax'];

/** `Pattention` and `PattentionGrad`, as src/kernels/pattention defines them. */
export function pattentionKernels({ addon, numbers, output }: KernelContext): Record<string, NativeKernel> {
  const settings = ({ normActivation, gelu, epsilon, tau }: Attributes): (number | boolean)[] => {
    const mode = MODES.indexOf(normActivation as string);
    if (mode < 0) throw new Error(`Pattention: expected normActivation ${MODES.join(', ')}; got ${normActivation}`);
    return [mode, gelu === 'tanh', epsilon as number, tau as number];
  };
  return {
    Pattention: ({ x, keyParamTokens, valueParamTokens }, attributes) => {
      for (const [name, tensor] of Object.entries({ x, keyParamTokens, valueParamTokens })) {
        expectRank('Pattention', name, tensor, 2);
      }
      const [tokens, dIn] = x.shape;
      const [n, dOut] = valueParamTokens.shape;
      const results = [output([tokens, dOut]), output([tokens, n])]; // output, scores
      const tensors = [x, keyParamTokens, valueParamTokens, ...results].map(numbers);
      addon.pattention(tokens, dIn, n, dOut, ...settings(attributes), ...tensors);
      return results;
    },
    PattentionGrad: ({ dOutput, x, keyParamTokens, valueParamTokens, scores }, attributes) => {
      expectRank('PattentionGrad', 'x', x, 2);
      expectRank('PattentionGrad', 'valueParamTokens', valueParamTokens, 2);
      const [tokens, dIn] = x.shape;
      const [n, dOut] = valueParamTokens.shape;
      const wanted = [
        attributes.wantInput ? output([tokens, dIn]) : undefined, // dX
        attributes.wantParams ? output([n, dIn]) : undefined, // dKeys
        attributes.wantParams ? output([n, dOut]) : undefined, // dValues
      ];
      const tensors = [dOutput, x, keyParamTokens, valueParamTokens, scores].map(numbers);
      const gradients = wanted.map((tensor) => tensor && numbers(tensor));
      addon.pattentionGradient(tokens, dIn, n, dOut, ...settings(attributes), ...tensors, ...gradients);
      return wanted.filter((tensor) => tensor !== undefined);
    },
  };
}
