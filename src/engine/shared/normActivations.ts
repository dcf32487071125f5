import type { KernelSupport, NormActivationAttributes } from './kernelContract.js';

/** A kernel that takes the Θ of a list and leaves every other to the reference. */
export function forNormActivations(names: readonly string[]): {
  supports(attributes: NormActivationAttributes): KernelSupport;
} {
  return {
    supports: ({ normActivation }) => names.includes(normActivation) || { lacks: `normActivation '${normActivation}'` },
  };
}
