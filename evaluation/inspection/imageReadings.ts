import type { GroupReading } from '#fusion';
import type { tf } from '#src/engine';
import type { InspectedModel } from './inspectedModel.js';

/** Hears what groups read of image tokens, with the path of their layer. */
export type ReadingListener = (layerPath: string, reading: GroupReading) => void;

/**
 * Makes listeners for the readings of a merged model. A reading does not say in which layer its groups are; their values, which
 * are the model's own variables, do.
 */
export function readingListeners({ tree }: InspectedModel): (hear: ReadingListener) => (reading: GroupReading) => void {
  const paths = new Map<tf.Tensor, string>();
  for (const name of tree.names()) {
    const path = /^(.+)\/[^/]+\/valueParamTokens$/.exec(name)?.[1];
    if (path !== undefined) paths.set(tree.variable(name), path);
  }
  return (hear) => (reading) => {
    const path = paths.get(reading.active[0].group.valueParamTokens);
    if (path !== undefined) hear(path, reading);
  };
}
