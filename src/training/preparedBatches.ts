/** Micro-batches that are kept from their preparation to their use. */
export interface PreparedBatches<T> {
  prepare(index: number): void;
  /** The micro-batch, made now unless it is prepared. */
  at(index: number): T;
}

/**
 * Keeps the last two micro-batches: the one in use, and the one that is prepared while the engine computes.
 *
 * @param make a pure function of the index; `slot` alternates between 0 and 1, for buffers of which one is in use
 */
export function preparedBatches<T>(make: (index: number, slot: number) => T): PreparedBatches<T> {
  const kept = new Map<number, T>();
  let slot = 0;
  const at = (index: number): T => {
    const ready = kept.get(index);
    if (ready !== undefined) return ready;
    for (const old of [...kept.keys()].slice(0, -1)) kept.delete(old);
    slot = 1 - slot;
    const batch = make(index, slot);
    kept.set(index, batch);
    return batch;
  };
  return { prepare: at, at };
}
