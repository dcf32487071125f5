import { tf } from '#src/engine';
import type { ParameterTree } from '#src/tokenformer';

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
