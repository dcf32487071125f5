import { tf } from '#src/engine';
import { createRandom } from '#src/random';
import type { ParameterTree } from '#src/tokenformer';
import { relativeError } from './closeness.js';

/** Gradients of a loss by parameter name; those that it does not depend on are missing. */
export function lossGradients(tree: ParameterTree, loss: () => tf.Scalar): Map<string, Float32Array> {
  const variables = tree.names().map((name) => tree.variable(name));
  const { value, grads } = tf.variableGrads(loss, variables);
  const gradients = new Map<string, Float32Array>();
  for (const name of tree.names()) {
    const gradient = grads[tree.variable(name).name];
    if (gradient != null) gradients.set(name, Float32Array.from(gradient.dataSync()));
  }
  tf.dispose([value, grads]);
  return gradients;
}

/** (L(p + h v) − L(p − h v)) / 2h for one parameter p along v. */
export function centralDifference(
  tree: ParameterTree,
  loss: () => tf.Scalar,
  name: string,
  direction: Float32Array,
  h: number,
): number {
  const variable = tree.variable(name);
  const start = tf.clone(variable);
  const at = (step: number): number =>
    tf.tidy(() => {
      variable.assign(tf.add(start, tf.mul(tf.tensor(direction, variable.shape), step)));
      return loss().dataSync()[0];
    });
  const slope = (at(h) - at(-h)) / (2 * h);
  variable.assign(start);
  start.dispose();
  return slope;
}

/**
 * How far the gradient of a loss by one parameter is from central differences, along itself and along a random direction.
 *
 * @param step as a share of the parameter's length
 */
export function gradientError(tree: ParameterTree, loss: () => tf.Scalar, name: string, step: number): number {
  const gradient = lossGradients(tree, loss).get(name) as Float32Array;
  const length = Math.hypot(...gradient);
  const along = gradient.map((value) => value / length);
  const random = createRandom(1, 'direction');
  const other = gradient.map(() => random.normal() / Math.sqrt(gradient.length));
  const product = gradient.reduce((sum, value, i) => sum + value * other[i], 0);
  const h = step * Math.hypot(...tree.variable(name).dataSync());
  const slopes = [along, other].map((direction) => centralDifference(tree, loss, name, direction, h));
  return relativeError(slopes, [length, product]);
}
