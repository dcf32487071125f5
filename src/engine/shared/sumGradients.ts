/**
 * @file Gradients of Sum and Mean in TensorFlow.js make an array of ones of the input's size on the host, step after step. These are the same
 * products, with ones that the engine makes where it computes.
 */
import type { GradConfig, NamedAttrMap, Tensor } from '@tensorflow/tfjs-core';
import type { tf as Tf } from './tf.js';

/** Replaces both, for every engine. */
export function registerSumGradients(tf: typeof Tf): void {
  /** dY at every place of X that it was summed from. */
  const spread = (dY: Tensor, x: Tensor, axes: number[]): Tensor => {
    const shape = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
    return tf.mul(tf.reshape(dY, shape), tf.fill(x.shape, 1));
  };
  const axesOf = (x: Tensor, attributes: NamedAttrMap): number[] =>
    tf.util.parseAxisParam(attributes.axis as number | number[], x.shape);
  const gradients: GradConfig[] = [
    {
      kernelName: 'Sum',
      inputsToSave: ['x'],
      gradFunc: (dY, [x], attributes) => {
        const dX = spread(dY as Tensor, x, axesOf(x, attributes));
        return { x: () => dX };
      },
    },
    {
      kernelName: 'Mean',
      inputsToSave: ['x'],
      gradFunc: (dY, [x], attributes) => {
        const axes = axesOf(x, attributes);
        const count = axes.reduce((product, axis) => product * x.shape[axis], 1);
        return { x: () => tf.div(spread(dY as Tensor, x, axes), count) };
      },
    },
  ];
  for (const gradient of gradients) {
    tf.unregisterGradient(gradient.kernelName);
    tf.registerGradient(gradient);
  }
}
