import type { TensorInfo } from '../tensorFlow.js';
import type { KernelContext, NativeKernel } from './kernelContext.js';
import { WEIGHT_MODES } from './pattentionKernels.js';
import { rotaryTable } from './rotaryKernel.js';

/** `DecodeBlocks`, as src/tokenformer/decodeStack defines it; the caches are written where they lie. */
export function decodeKernels({ addon, backend, numbers, output }: KernelContext): Record<string, NativeKernel> {
  return {
    DecodeBlocks: (inputs, attributes) => {
      const { numHeads, rotaryDims, rotaryBase, past, normEpsilon, layerNormEpsilon } = attributes as Record<
        string,
        number
      >;
      const { taus, factors, groupsOfLayers } = attributes as Record<string, readonly number[]>;
      const linear = attributes.linear as readonly boolean[];
      const numContexts = attributes.numContexts as number;
      const [x, ...tensors] = Object.values(inputs);
      const take = (count: number): TensorInfo[] => tensors.splice(0, count);
      const [keys, values] = [take(taus.length), take(taus.length)];
      const [contextKeys, contextValues] = [take(numContexts), take(numContexts)];
      const cacheKeys = take(tensors.length / 2);
      const [rows, , dModel] = x.shape;
      const result = output(x.shape);
      const half = rotaryDims / 2;
      addon.decodeBlocks(
        rows,
        dModel,
        numHeads,
        half,
        past,
        cacheKeys[0].shape[1],
        numContexts === 0 ? 0 : contextKeys[0].shape[1],
        WEIGHT_MODES.indexOf(attributes.normActivation as string),
        attributes.gelu === 'tanh',
        normEpsilon,
        layerNormEpsilon,
        keys.map(numbers),
        values.map(numbers),
        cacheKeys.map(backend.ownNumbers),
        tensors.map(backend.ownNumbers),
        contextKeys.map(numbers),
        contextValues.map(numbers),
        numbers(x),
        numbers(result),
        rotaryTable(1, half, past, rotaryBase, 1),
        Float32Array.from(taus.flatMap((tau, i) => [tau, factors[i], linear[i] ? 1 : 0])),
        Int32Array.from(groupsOfLayers),
      );
      return result;
    },
  };
}
