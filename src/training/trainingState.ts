import { basename, join } from 'node:path';
import { z } from 'zod';
import { parseConfig } from '#src/config';
import { UserError } from '#src/errors';
import { type HostTensor, parseJson } from '#src/storage';
import { type CheckpointFolder, openCheckpointFolder } from './checkpointFolder.js';
import type { TrainingConfig } from './config.js';

/** The state of training. All random streams are named by the seed and a counter, so these numbers are all of it. */
const TrainingState = z.strictObject({
  step: z.int().min(0),
  seed: z.int(),
  /** Micro-batches consumed: the position in the data. */
  dataPosition: z.int().min(0),
  bestValue: z.number().nullable(),
  bestStep: z.int().min(0).nullable(),
  /** Steps that the optimizer's moments have behind them, where that is not `step`: after a warm start or a growth. */
  optimizerStep: z.int().min(0).optional(),
  /** Units (tokens, images) that training has taken, those of the model it started from included; absent where they are not known. */
  units: z.number().min(0).optional(),
  /** Floating-point operations of the training steps, counted likewise; see `TrainingTask.flopsIn`. */
  flops: z.number().min(0).optional(),
});
export type TrainingState = z.output<typeof TrainingState>;

/** The state with its keys in the order of files: a resumed run writes the bytes of an unbroken one. */
export function orderedState(state: TrainingState): TrainingState {
  return TrainingState.parse(state);
}

/** The run that a state must belong to. */
export interface StateOwner {
  readonly config: Pick<TrainingConfig, 'steps' | 'gradientAccumulation'>;
  readonly seed?: number;
}

/** Reads what resuming from a checkpoint needs. */
export function readTrainingState(directory: string): { optimizer: Map<string, HostTensor>; state: TrainingState } {
  const folder = openCheckpointFolder(directory);
  return { optimizer: folder.readTensors('optimizer.safetensors'), state: progressIn(folder) };
}

/** Reads a checkpoint's training state without its optimizer. */
export function readProgress(directory: string, owner?: StateOwner): TrainingState {
  return progressIn(openCheckpointFolder(directory), owner);
}

/**
 * What a model made of a checkpoint, without its optimizer, takes over of its training: how far it went and what it cost.
 *
 * @returns undefined for a checkpoint that does not say
 */
export function trainingHistory(directory: string): { readonly state: TrainingState } | undefined {
  const folder = openCheckpointFolder(directory);
  return folder.has('state.json') ? { state: progressIn(folder) } : undefined;
}

/** @throws UserError when the run could not have reached the state */
export function progressIn(folder: CheckpointFolder, owner?: StateOwner): TrainingState {
  const path = join(folder.directory, 'state.json');
  const json = parseJson(folder.readBytes('state.json', 'training state'), path, 'training state');
  const state = parseConfig(json, TrainingState, path);
  const problems = stateProblems(state, basename(folder.directory), owner);
  if (problems.length > 0) throw new UserError(problems.map((problem) => `${path}: ${problem}`).join('\n'));
  return state;
}

function stateProblems(
  { step, seed, dataPosition, bestStep }: TrainingState,
  name: string,
  owner?: StateOwner,
): string[] {
  const problems: string[] = [];
  const named = /^step-(\d+)(\.former)?$/.exec(name);
  if (named && Number(named[1]) !== step)
    problems.push(`step: expected ${Number(named[1])}, as in ${name}, got ${step}`);
  if (bestStep !== null && bestStep > step) problems.push(`bestStep: expected at most step ${step}, got ${bestStep}`);
  if (!owner) return problems;
  const { steps, gradientAccumulation } = owner.config;
  if (step > steps) problems.push(`step: expected at most training.steps ${steps}, got ${step}`);
  if (dataPosition !== step * gradientAccumulation) {
    const times = gradientAccumulation === 1 ? '' : `, step × gradientAccumulation`;
    problems.push(`dataPosition: expected ${step * gradientAccumulation}${times}, got ${dataPosition}`);
  }
  if (owner.seed !== undefined && seed !== owner.seed) {
    problems.push(`seed: expected ${owner.seed}, that of the experiment, got ${seed}`);
  }
  return problems;
}
