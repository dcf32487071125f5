import { join } from 'node:path';
import { UserError } from '#src/errors';
import type { ParameterTree } from '#src/tokenformer';
import type { AdamW } from './adamW.js';
import { refuseOthersThan } from './checkpoint.js';
import { openCheckpointFolder } from './checkpointFolder.js';
import { findCheckpoint, hasPointer, otherWayOn } from './checkpointPointers.js';
import { progressIn, type StateOwner, type TrainingState } from './trainingState.js';
import type { TeacherState } from './trainingTask.js';

/** A run that is to continue. */
export interface RestoredRun extends StateOwner {
  readonly runDir: string;
  readonly parameters: ParameterTree;
  readonly teacher?: TeacherState | undefined;
  /** Gives the parameters the shapes that they have at a step. */
  readonly prepare: (state: TrainingState) => void;
}

/**
 * Puts parameters, optimizer and teacher back to the last checkpoint of a run, each of its files checked.
 *
 * @returns the state there; undefined for a run without a checkpoint
 * @throws UserError when the checkpoint is damaged or belongs to another run, with the way on from the other one if there is one
 */
export function restoreRun(run: RestoredRun, optimizer: AdamW): TrainingState | undefined {
  if (!hasPointer(run.runDir)) return undefined;
  try {
    return restoreFrom(findCheckpoint(run.runDir, 'last'), run, optimizer);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`${error.message}${otherWayOn(run.runDir)}`);
  }
}

function restoreFrom(directory: string, run: RestoredRun, optimizer: AdamW): TrainingState {
  const { parameters, teacher } = run;
  const folder = openCheckpointFolder(directory);
  const state = progressIn(folder, run);
  run.prepare(state);
  const tensors = folder.readTensors('model.safetensors', refuseOthersThan(parameters.shapes()));
  const moments = folder.readTensors('optimizer.safetensors');
  const averages = teacher && folder.readTensors('teacher.safetensors', refuseOthersThan(teacher.shapes()));
  folder.verifyOthers();
  parameters.assign(tensors);
  if (averages) teacher.assign(averages);
  // Untrained parameters, a control, have no moments yet.
  if (state.step > 0) optimizer.load(moments, join(directory, 'optimizer.safetensors'));
  return state;
}
