import type { FusedKernelFunctions } from '../../shared/index.js';
import { rotaryTable } from '../../shared/index.js';
import { NORM_ACTIVATIONS } from './fusedKernels.js';
import type { KernelContext } from './kernelContext.js';

/** `DecodeBlocks`, as src/tokenformer/decodeStack defines it; the caches are written in place. */
export function decodeKernels({
  addon,
  backend,
  numbers,
  output,
}: KernelContext): FusedKernelFunctions<'DecodeBlocks'> {
  return {
    DecodeBlocks: (inputs, attributes) => {
      const { x, keys, values, gates, contextKeys, contextValues, contextGates, cacheKeys, cacheValues } = inputs;
      const { numHeads, rotaryDims, rotaryBase, past, epsilon, layerNormEpsilon, taus, linear, strongest } = attributes;
      const [rows, , dModel] = x.shape;
      const result = output(x.shape);
      const half = rotaryDims / 2;
      const factors = gates.map((gate) => (gate === undefined ? 1 : Math.tanh(numbers(gate)[0])));
      const shares = contextGates.flatMap((gate) => Array.from(numbers(gate), Math.tanh));
      addon.decodeBlocks(
        rows,
        dModel,
        numHeads,
        half,
        past,
        cacheKeys[0].shape[1],
        contextKeys.length === 0 ? 0 : contextKeys[0].shape[1],
        NORM_ACTIVATIONS.indexOf(attributes.normActivation),
        attributes.gelu === 'tanh',
        epsilon,
        layerNormEpsilon,
        keys.map(numbers),
        values.map(numbers),
        cacheKeys.map(backend.ownNumbers),
        cacheValues.map(backend.ownNumbers),
        contextKeys.map(numbers),
        contextValues.map(numbers),
        shares.length === 0 ? undefined : Float32Array.from(shares),
        numbers(x),
        numbers(result),
        rotaryTable(1, half, past, rotaryBase, 1),
        Float32Array.from(taus.flatMap((tau, i) => [tau, factors[i], linear[i] ? 1 : 0])),
        Int32Array.from(attributes.groupsOfLayers),
        Int32Array.from(strongest),
      );
      return [result];
    },
  };
}
