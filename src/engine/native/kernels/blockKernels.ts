import type { FusedBlockAttributes, FusedKernelFunctions, tf } from '../../shared/index.js';
import { type BlockLayer, type BlockLayerSet, blockPasses } from './blockPass.js';
import type { KernelContext } from './kernelContext.js';
import { type ParamTokens, pattentionCalls } from './pattentionKernels.js';

/** The gradients of a group's parameter tokens; none of a frozen group. */
interface GroupGradients {
  readonly dKeys?: tf.TensorInfo;
  readonly dValues?: tf.TensorInfo;
}

/** `TokenFormerBlock` and `TokenFormerBlockGrad`, as src/tokenformer/fusedBlock defines them. */
export function blockKernels(
  context: KernelContext,
): FusedKernelFunctions<'TokenFormerBlock' | 'TokenFormerBlockGrad'> {
  const { output } = context;
  const passes = blockPasses(context);

  /** The layers of a block; the backward pass writes the gradients of group i to `gradients[i]`. */
  function layersOf(
    keys: readonly tf.TensorInfo[],
    values: readonly tf.TensorInfo[],
    attributes: FusedBlockAttributes,
    gradients: readonly GroupGradients[] = [],
  ): BlockLayerSet {
    const { taus, groupsOfLayers } = attributes;
    const calls = pattentionCalls(context, attributes);
    const pattentionLayer = (groups: readonly ParamTokens[], ofGroups: readonly GroupGradients[]): BlockLayer => ({
      savedSizes: (tokens) => groups.map(({ keys: of }) => tokens * of.shape[0]),
      forward: (tokens, x, scores, y, add) => {
        for (const [i, group] of groups.entries())
          calls.forward(group, { tokens, dIn: group.keys.shape[1], x, scores: scores[i] }, y, add || i > 0);
      },
      backward: (tokens, dY, x, scores, dX, add) => {
        for (const [i, group] of groups.entries()) {
          const wanted = { dX, dKeys: ofGroups[i].dKeys, dValues: ofGroups[i].dValues };
          calls.backward(group, { tokens, dIn: group.keys.shape[1], x, scores: scores[i] }, dY, wanted, add || i > 0);
        }
      },
    });
    let first = 0;
    const layers = groupsOfLayers.map((count): BlockLayer | undefined => {
      first += count;
      const places = Array.from({ length: count }, (_, i) => first - count + i);
      const groups = places.map((i): ParamTokens => ({ tau: taus[i], keys: keys[i], values: values[i] }));
      const ofGroups = places.map((i) => gradients[i]);
      return count === 0 ? undefined : pattentionLayer(groups, ofGroups);
    });
    const [query, key, value, out, contextOutput, ffn] = layers as [...BlockLayer[]];
    return { query, key, value, output: out, contextOutput, ffn };
  }

  return {
    TokenFormerBlock: ({ x, keys, values, contextKeys, contextValues, contextGate }, attributes) =>
      passes.forward(x, layersOf(keys, values, attributes), attributes, attributes.recording, {
        contextKeys,
        contextValues,
        contextGate,
      }),

    TokenFormerBlockGrad: ({ dHidden, keys, values, saved }, attributes) => {
      const { trainable } = attributes;
      const gradients = trainable.map((isTrained, i): GroupGradients => {
        return isTrained ? { dKeys: output(keys[i].shape), dValues: output(values[i].shape) } : {};
      });
      const layers = layersOf(keys, values, attributes, gradients);
      const { dX, dContextKeys, dContextValues, dContextGate } = passes.backward(dHidden, saved, layers, attributes);
      const ofKeys = gradients.map(({ dKeys }) => dKeys);
      const ofValues = gradients.map(({ dValues }) => dValues);
      const ofContext = [dContextKeys, dContextValues, dContextGate];
      return [dX, ...ofKeys, ...ofValues, ...ofContext].filter((tensor) => tensor !== undefined);
    },
  };
}
