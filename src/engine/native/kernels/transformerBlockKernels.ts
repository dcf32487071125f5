import type { FusedKernelFunctions, TransformerBlockAttributes, tf } from '../../shared/index.js';
import type { NumberArray } from '../addon.js';
import { type BlockLayer, type BlockLayerSet, blockPasses } from './blockPass.js';
import type { KernelContext } from './kernelContext.js';
import { pattentionCalls } from './pattentionKernels.js';

/** `TransformerBlock` and `TransformerBlockGrad`, as src/transformer/fusedTransformerBlock defines them. */
export function transformerBlockKernels(
  context: KernelContext,
): FusedKernelFunctions<'TransformerBlock' | 'TransformerBlockGrad'> {
  const { addon, numbers, output } = context;
  const passes = blockPasses(context);

  /** Y = X W; the backward pass writes dW where it is wanted. */
  const linearLayer = (weight: tf.TensorInfo, gradient: tf.TensorInfo | undefined): BlockLayer => {
    const [width] = weight.shape;
    /** C [m, width] = or += A B, either one as it is stored or transposed. */
    const product = (
      [m, depth]: readonly [number, number],
      transposed: readonly [a: boolean, b: boolean],
      add: boolean,
      ...arrays: NumberArray[]
    ): void => addon.matMul(1, m, width, depth, ...transposed, false, false, add, ...arrays);
    return {
      savedSizes: () => [],
      forward: (tokens, x, _saved, y, add) => product([tokens, width], [false, false], add, x, numbers(weight), y),
      backward: (tokens, dY, x, _saved, dX, add) => {
        product([tokens, width], [false, true], add, dY, numbers(weight), dX);
        if (gradient) product([width, tokens], [true, false], false, x, dY, numbers(gradient));
      },
    };
  };

  /** An MLP is a Pattention without a norm. */
  const mlpLayer = (
    [up, down]: readonly tf.TensorInfo[],
    [dUp, dDown]: readonly (tf.TensorInfo | undefined)[],
    { gelu }: TransformerBlockAttributes,
  ): BlockLayer => {
    const calls = pattentionCalls(context, { normActivation: 'gelu', gelu, epsilon: 0 });
    const units = { keys: up, values: down, tau: 1 };
    const [hidden, dIn] = up.shape;
    return {
      savedSizes: (tokens) => [tokens * hidden],
      forward: (tokens, x, [scores], y, add) => calls.forward(units, { tokens, dIn, x, scores }, y, add),
      backward: (tokens, dY, x, [scores], dX, add) =>
        calls.backward(units, { tokens, dIn, x, scores }, dY, { dX, dKeys: dUp, dValues: dDown }, add),
    };
  };

  function layersOf(
    weights: readonly tf.TensorInfo[],
    attributes: TransformerBlockAttributes,
    gradients: readonly (tf.TensorInfo | undefined)[] = [],
  ): BlockLayerSet {
    const [query, key, value, out] = weights.slice(0, 4).map((weight, i) => linearLayer(weight, gradients[i]));
    const ffn = mlpLayer(weights.slice(4), gradients.slice(4), attributes);
    return { query, key, value, output: out, ffn };
  }
  const shapeOf = (attributes: TransformerBlockAttributes) => ({ ...attributes, contextLen: 0, gated: false });

  return {
    TransformerBlock: ({ x, weights }, attributes) =>
      passes.forward(x, layersOf(weights, attributes), shapeOf(attributes), attributes.recording),
    TransformerBlockGrad: ({ dHidden, weights, saved }, attributes) => {
      const gradients = weights.map(({ shape }, i) => (attributes.trainable[i] ? output(shape) : undefined));
      const { dX } = passes.backward(dHidden, saved, layersOf(weights, attributes, gradients), shapeOf(attributes));
      return [dX, ...gradients.filter((tensor) => tensor !== undefined)];
    },
  };
}
