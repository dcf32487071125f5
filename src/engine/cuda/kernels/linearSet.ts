import type { tf } from '../../shared/index.js';
import { type Arithmetic, carve, multiply } from './arithmetic.js';
import type { KernelContext } from './context.js';
import { areSideBySide, type LayerSet } from './layerSet.js';
import { areAdjacent } from './pattentionSet.js';
import { encodeConversion } from './rowCommands.js';

/** A weight [width, width], and the tensor of its gradient where it is trained. */
export interface LinearWeight {
  readonly weight: tf.TensorInfo;
  readonly gradient?: tf.TensorInfo;
}

/**
 * Linear layers of one input: Y_l = X W_l. Saved: the weights side by side, [width, layers · width], in the arithmetic's type, so that
 * the outputs, and the gradient of the input, are one product.
 */
export function linearSet(context: KernelContext, arithmetic: Arithmetic, layers: readonly LinearWeight[]): LayerSet {
  const { bytes } = arithmetic;
  const [width] = layers[0].weight.shape;
  const stride = layers.length * width;
  return {
    savedBytes: () => carve(0, [width * stride * bytes]).bytes,
    scratchBytes: () => 0,

    forward: (tokens, x, saved, _scratch, outputs) => {
      for (const [l, { weight }] of layers.entries()) {
        const from = { address: context.address(weight), stride: width };
        const to = { address: saved + l * width * bytes, stride };
        encodeConversion(context, arithmetic, [width, width], from, { to });
      }
      const isOne = layers.length > 1 && areSideBySide(outputs, width, bytes) && outputs.every(({ add }) => !add);
      const product = (l: number, columns: number): void =>
        multiply(context, arithmetic, {
          a: x,
          b: { address: saved + l * width * bytes, stride },
          c: outputs[l],
          ...{ m: tokens, n: columns, k: width, beta: outputs[l].add ? 1 : 0, result: outputs[l].result },
        });
      if (isOne) product(0, stride);
      else for (const l of layers.keys()) product(l, width);
    },

    backward: (tokens, dOutputs, x, saved, _scratch, dX) => {
      const isOne = areSideBySide(dOutputs, width, bytes);
      const inputGradient = (l: number, columns: number): void =>
        multiply(context, arithmetic, {
          a: dOutputs[l],
          b: { address: saved + l * width * bytes, stride },
          c: dX,
          ...{ transposeB: true, m: tokens, n: width, k: columns, beta: l > 0 ? 1 : 0 },
        });
      if (isOne) inputGradient(0, stride);
      else for (const l of layers.keys()) inputGradient(l, width);

      const gradients = layers.flatMap(({ gradient }) => (gradient === undefined ? [] : [gradient]));
      const ofWeight = (l: number, gradient: tf.TensorInfo, batch: number): void =>
        multiply(context, arithmetic, {
          a: { ...x, batchStride: 0 },
          b: { ...dOutputs[l], batchStride: width },
          c: { address: context.address(gradient), stride: width, batchStride: width * width },
          ...{ transposeA: true, m: width, n: width, k: tokens, batch, result: 'float32' },
        });
      if (isOne && gradients.length === layers.length && areAdjacent(context, gradients)) {
        ofWeight(0, gradients[0], layers.length);
        return;
      }
      for (const [l, { gradient }] of layers.entries()) if (gradient) ofWeight(l, gradient, 1);
    },
  };
}
