import type { tf } from '#src/engine';
import type { JointModel } from './jointModel.js';

/**
 * The layer of each group, `block0/attention/key`, by its values: what `onReading` hears does not say where its groups are, but they
 * are the model's own variables.
 */
export function groupPlaces({ tree }: Pick<JointModel, 'tree'>): ReadonlyMap<tf.Tensor, string> {
  const places = new Map<tf.Tensor, string>();
  for (const name of tree.names()) {
    const place = /^(.+)\/[^/]+\/valueParamTokens$/.exec(name)?.[1];
    if (place !== undefined) places.set(tree.variable(name), place);
  }
  return places;
}
