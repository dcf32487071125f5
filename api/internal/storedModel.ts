import { resolve } from 'node:path';
import { inOutputEntry } from '#src/storage';
import type { ParameterTree } from '#src/tokenformer';
import { type ModelDescription, writeCheckpoint } from '#src/training';
import type { LoadedModel } from '../loadedModel.js';

export interface StoredModel {
  readonly tree: ParameterTree;
  readonly description: ModelDescription;
  /** Files that travel with the model. */
  readonly assets: ReadonlyMap<string, Uint8Array>;
  /** Frees everything; called once. */
  readonly release: () => void;
}

/** What all models share: counting, saving, disposing of. */
export function storedModel({ tree, description, assets, release }: StoredModel): LoadedModel {
  let disposed = false;
  const dispose = (): void => {
    if (!disposed) release();
    disposed = true;
  };
  return {
    numParameters: tree.countParameters(),
    save: (directory, options = {}) =>
      inOutputEntry(resolve(directory), options, async () =>
        writeCheckpoint(resolve(directory), { model: description, tensors: await tree.toHost(), assets }),
      ),
    dispose,
    [Symbol.dispose]: dispose,
  };
}
