/** @file Where a run stands: what is due after a step, what is better, and whether it is over. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readMetrics } from '#src/tracking';
import { findCheckpoint } from './checkpointPointers.js';
import type { TrainingConfig } from './config.js';
import { readProgress, type TrainingState } from './trainingState.js';
import type { TrainingTask } from './trainingTask.js';

/** NaN is never better. */
export function isBetter({ selectBy }: TrainingTask, value: number, best: number | null): boolean {
  if (selectBy.better === 'later') return !Number.isNaN(value);
  return selectBy.better === 'lower'
    ? value < (best ?? Number.POSITIVE_INFINITY)
    : value > (best ?? Number.NEGATIVE_INFINITY);
}

/** Whether the run in a directory has ended: all its steps are done, or its patience is. */
export function isTrained(runDir: string, config: TrainingConfig): boolean {
  if (!existsSync(join(runDir, 'checkpoints', 'last.json'))) return false;
  const state = readProgress(findCheckpoint(runDir, 'last'));
  return isOver(state, config) && !lacksEvaluation(runDir, state, config);
}

/** Whether a run ends here: all steps are done, or its patience is. */
export function isOver({ step, bestStep }: TrainingState, { steps, patience, evaluateEvery }: TrainingConfig): boolean {
  const evaluationsSinceBest = (step - (bestStep ?? step)) / evaluateEvery;
  return step >= steps || evaluationsSinceBest >= (patience ?? Number.POSITIVE_INFINITY);
}

/** Whether a step is followed by an evaluation. */
export function isEvaluated(step: number, { steps, evaluateEvery }: TrainingConfig): boolean {
  return step > 0 && (step % evaluateEvery === 0 || step === steps);
}

/** Whether a run was stopped in the evaluation of its last step. */
export function lacksEvaluation(runDir: string, { step }: TrainingState, config: TrainingConfig): boolean {
  if (!isEvaluated(step, config) || !existsSync(join(runDir, 'metrics.jsonl'))) return false;
  return !readMetrics(runDir).some(
    (entry) => entry.step === step && Object.keys(entry.values).some((name) => !/^(train|growth)\//.test(name)),
  );
}
