import { resolve } from 'node:path';
import { readGroupFile, requireTaskGroup } from '#src/groups';
import { inOutputEntry } from '#src/storage';
import type { ParameterTree } from '#src/tokenformer';
import { type ModelDescription, writeCheckpoint } from '#src/training';
import type { LoadedModel } from '../loadedModel.js';

/** What changes when groups are attached and detached. */
export interface GroupedState {
  readonly tree: ParameterTree;
}

export interface StoredModel<State extends GroupedState> {
  /** With the groups that are attached now. */
  readonly current: () => State;
  readonly become: (state: State) => void;
  readonly attach: (state: State, file: string) => Promise<State>;
  readonly detach: (state: State, name: string) => State;
  readonly describe: (state: State) => ModelDescription;
  /** Files that travel with the model. */
  readonly assets: (state: State) => ReadonlyMap<string, Uint8Array>;
  /** Frees everything; called once. */
  readonly release: () => void;
}

/** What all models share: counting, groups, saving, disposing of. */
export function storedModel<State extends GroupedState>(model: StoredModel<State>): LoadedModel {
  const { current, become, attach, detach, describe, assets, release } = model;
  let disposed = false;
  const dispose = (): void => {
    if (!disposed) release();
    disposed = true;
  };
  return {
    numParameters: current().tree.countParameters(),
    attachGroup: async (file) => {
      const { group, backbone, parameters } = requireTaskGroup(readGroupFile(file)).description;
      become(await attach(current(), file));
      return { name: group.name, backbone, numParameters: parameters };
    },
    detachGroup: (name) => become(detach(current(), name)),
    save: (directory, options = {}) =>
      inOutputEntry(resolve(directory), options, async () => {
        const state = current();
        const tensors = await state.tree.toHost();
        writeCheckpoint(resolve(directory), { model: describe(state), tensors, assets: assets(state) });
      }),
    dispose,
    [Symbol.dispose]: dispose,
  };
}
