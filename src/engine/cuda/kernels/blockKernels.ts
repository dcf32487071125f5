import type { FusedBlockAttributes, FusedKernelFunctions, tf } from '../../shared/index.js';
import { blockArithmetic } from './arithmetic.js';
import { type BlockLayerSets, blockPasses } from './blockPass.js';
import type { KernelContext } from './context.js';
import { linearSet } from './linearSet.js';
import { type ParamTokens, pattentionSet } from './pattentionSet.js';

/** The gradients of a group's parameter tokens; none of a frozen group. */
type GroupGradients = Pick<ParamTokens, 'dKeys' | 'dValues'>;

/** `TokenFormerBlock`, `TransformerBlock` and their gradients, as src/tokenformer/fusedBlock and src/transformer/fusedTransformerBlock define them. */
export function blockKernels(
  context: KernelContext,
): FusedKernelFunctions<'TokenFormerBlock' | 'TokenFormerBlockGrad' | 'TransformerBlock' | 'TransformerBlockGrad'> {
  /** The layers of a TokenFormer's block; the backward pass writes the gradients of group i to `gradients[i]`. */
  function pattentionLayers(
    keys: readonly tf.TensorInfo[],
    values: readonly tf.TensorInfo[],
    attributes: FusedBlockAttributes,
    gradients: readonly GroupGradients[] = [],
  ): BlockLayerSets {
    const { taus, groupsOfLayers } = attributes;
    const arithmetic = blockArithmetic(context);
    let end = 0;
    const [query, key, value, output, contextOutput, ffn] = groupsOfLayers.map((count) => {
      end += count;
      return Array.from({ length: count }, (_, i): ParamTokens => {
        const place = end - count + i;
        return { keys: keys[place], values: values[place], tau: taus[place], ...gradients[place] };
      });
    });
    const setOf = (...layers: ParamTokens[][]) => pattentionSet(context, arithmetic, layers, attributes);
    return {
      projections: setOf(query, key, value),
      output: setOf(output),
      contextOutput: contextOutput.length > 0 ? setOf(contextOutput) : undefined,
      ffn: setOf(ffn),
    };
  }

  /** Gradients of the trainable ones, one behind the other, so that neighbours come from one product. */
  function gradientsOf(
    tensors: readonly tf.TensorInfo[],
    trainable: readonly boolean[],
  ): (tf.TensorInfo | undefined)[] {
    const trained = tensors.filter((_, i) => trainable[i]);
    const made = trained.length === 0 ? [] : context.adjacentOutputs(trained.map(({ shape }) => shape));
    let next = 0;
    return tensors.map((_, i) => (trainable[i] ? made[next++] : undefined));
  }

  function transformerLayers(
    weights: readonly tf.TensorInfo[],
    attributes: { readonly gelu: 'erf' | 'tanh' },
    gradients: readonly (tf.TensorInfo | undefined)[] = [],
  ): BlockLayerSets {
    const arithmetic = blockArithmetic(context);
    const linear = (from: number, to: number) =>
      linearSet(
        context,
        arithmetic,
        weights.slice(from, to).map((weight, i) => ({ weight, gradient: gradients[from + i] })),
      );
    // An MLP is a Pattention without a norm.
    const units = { keys: weights[4], values: weights[5], tau: 1, dKeys: gradients[4], dValues: gradients[5] };
    const mlp = { normActivation: 'gelu', gelu: attributes.gelu, epsilon: 0 };
    return { projections: linear(0, 3), output: linear(3, 4), ffn: pattentionSet(context, arithmetic, [[units]], mlp) };
  }

  const present = (tensors: readonly (tf.TensorInfo | undefined)[]): tf.TensorInfo[] =>
    tensors.filter((tensor) => tensor !== undefined);

  return {
    TokenFormerBlock: ({ x, keys, values, contextKeys, contextValues }, attributes) => {
      const passes = blockPasses(context, blockArithmetic(context));
      const layers = pattentionLayers(keys, values, attributes);
      return passes.forward(x, layers, attributes, attributes.recording, { contextKeys, contextValues });
    },

    TokenFormerBlockGrad: ({ dHidden, keys, values, saved }, attributes) => {
      const passes = blockPasses(context, blockArithmetic(context));
      const ofKeys = gradientsOf(keys, attributes.trainable);
      const ofValues = gradientsOf(values, attributes.trainable);
      const gradients = keys.map((_, i): GroupGradients => ({ dKeys: ofKeys[i], dValues: ofValues[i] }));
      const layers = pattentionLayers(keys, values, attributes, gradients);
      const { dX, dContextKeys, dContextValues } = passes.backward(dHidden, saved, layers, attributes);
      return present([dX, ...ofKeys, ...ofValues, dContextKeys, dContextValues]);
    },

    TransformerBlock: ({ x, weights }, attributes) => {
      const passes = blockPasses(context, blockArithmetic(context));
      return passes.forward(
        x,
        transformerLayers(weights, attributes),
        { ...attributes, contextLen: 0 },
        attributes.recording,
      );
    },

    TransformerBlockGrad: ({ dHidden, weights, saved }, attributes) => {
      const passes = blockPasses(context, blockArithmetic(context));
      const gradients = gradientsOf(weights, attributes.trainable);
      const layers = transformerLayers(weights, attributes, gradients);
      const { dX } = passes.backward(dHidden, saved, layers, { ...attributes, contextLen: 0 });
      return [dX, ...present(gradients)];
    },
  };
}
