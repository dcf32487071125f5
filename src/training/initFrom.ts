import { resolve } from 'node:path';
import { z } from 'zod';
import { ConfigError, didYouMean } from '#src/errors';
import type { HostTensor } from '#src/storage';
import { type ParameterTree, TOKEN_POLICIES } from '#src/tokenformer';
import { type ModelKind, readModel, type StoredModel } from './checkpoint.js';
import { openCheckpointFolder } from './checkpointFolder.js';
import { checkpointDigests, findCheckpoint } from './checkpointPointers.js';
import type { CheckpointDigests } from './provenance.js';
import { progressIn, type TrainingState, trainingHistory } from './trainingState.js';

const initFromKeys = {
  checkpoint: z.string().min(1).describe('the trained model: run directory or checkpoint, from --root'),
  select: z.enum(['best', 'last']).default('best').describe('which checkpoint of a run'),
  optimizer: z
    .enum(['reset', 'keep'])
    .default('reset')
    .describe('moments of AdamW: none, or those of the checkpoint, with zeros for what is new'),
  freeze: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('words; parameters whose names contain one of them are not trained'),
};

/** Where training starts instead of at random parameters. */
export const InitFrom = z
  .strictObject(initFromKeys)
  .describe('starts from a trained model instead of random parameters; none unless given');
export type InitFrom = z.output<typeof InitFrom>;

/** The same for a backbone, which may be larger than the trained model. */
export const InitFromSmaller = z
  .strictObject({
    ...initFromKeys,
    policy: z
      .enum(TOKEN_POLICIES)
      .default('preserve')
      .describe(
        'where `model` has more parameter tokens than the trained model. preserve: zero keys, τ kept, the function stays; official: random, τ anew',
      ),
  })
  .describe('starts from a trained model instead of random parameters; `model` may be larger; none unless given');
export type InitFromSmaller = z.output<typeof InitFromSmaller>;

/** What an optimizer starts with. */
export interface OptimizerStart {
  /** As `AdamW.toHost` gave them, perhaps of a smaller model. */
  readonly moments: ReadonlyMap<string, HostTensor>;
  /** Steps that they have behind them, for the correction of their bias. */
  readonly steps: number;
  /** The file that they come from. */
  readonly path: string;
}

/** What training has taken so far; a member is absent where it is not known. */
export type TrainingCost = Pick<TrainingState, 'units' | 'flops'>;

/** What the model that training starts from has cost. */
export function costBefore(initFrom: InitFrom, root: string): TrainingCost {
  const { units, flops } = trainingHistory(initCheckpoint(initFrom, root))?.state ?? {};
  return { ...(units !== undefined && { units }), ...(flops !== undefined && { flops }) };
}

/** The checkpoint that training starts from. */
export function initCheckpoint({ checkpoint, select }: InitFrom, root: string): string {
  return findCheckpoint(resolve(root, checkpoint), select);
}

/** The digest of that checkpoint, for the provenance of a run; none without `initFrom`. */
export function initInputs(initFrom: InitFrom | undefined, root: string): CheckpointDigests | undefined {
  return initFrom && checkpointDigests({ initFrom: initCheckpoint(initFrom, root) });
}

/** Reads the model that training starts from. @throws UserError when it is damaged or of another kind */
export function readInitModel<Config>(initFrom: InitFrom, root: string, kind: ModelKind<Config>): StoredModel<Config> {
  return readModel(initCheckpoint(initFrom, root), kind);
}

/**
 * The moments that training starts with; undefined for none.
 *
 * @param taken the parameters that are taken over; moments of others are left
 * @throws ConfigError when the checkpoint has no optimizer state
 */
export function optimizerStart(
  initFrom: InitFrom,
  root: string,
  taken: ReadonlyMap<string, unknown>,
): OptimizerStart | undefined {
  if (initFrom.optimizer === 'reset') return undefined;
  const folder = openCheckpointFolder(initCheckpoint(initFrom, root));
  if (!folder.has('optimizer.safetensors')) {
    throw new ConfigError(
      `initFrom.optimizer: expected a checkpoint with optimizer.safetensors to keep, ${folder.directory} has none; use reset`,
    );
  }
  const state = progressIn(folder);
  const moments = folder.readTensors('optimizer.safetensors');
  return {
    moments: new Map([...moments].filter(([key]) => taken.has(key.slice(0, key.lastIndexOf('/'))))),
    steps: state.optimizerStep ?? state.step,
    path: folder.pathOf('optimizer.safetensors', 'optimizer state'),
  };
}

/**
 * Freezes the parameters whose names contain one of the words; the others are trained as before.
 *
 * @throws ConfigError when a word fits no parameter, or they leave none to train
 */
export function freeze(tree: ParameterTree, words: readonly string[] = []): void {
  const names = tree.names();
  const idle = words.find((word) => !names.some((name) => name.includes(word)));
  if (idle !== undefined) {
    const parts = [...new Set(names.flatMap((name) => name.split('/')))];
    throw new ConfigError(
      `initFrom.freeze: expected words that names of parameters contain, as they stand ('*' is no wildcard), got '${idle}'${didYouMean(idle, parts)}; names are such as '${names[0]}', '${names.at(-1)}'`,
    );
  }
  tree.freeze((name) => words.some((word) => name.includes(word)));
  if (tree.trainableNames().length === 0) {
    throw new ConfigError('initFrom.freeze: expected something left to train, got words that fit every parameter');
  }
}
