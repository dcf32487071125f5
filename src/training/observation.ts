/** @file How often, and how much of the data, TensorBoard's histograms and captions look at a model: at most 1 % of the time of training. */
import type { TrainingConfig } from './config.js';

/** Looking takes up to two steps' time: it runs without fused blocks, and has no gradient. */
const STEPS = 300;
/** More sequences tell no more of the use of parameter tokens. */
const MOST = 8;

type Intervals = Pick<TrainingConfig, 'evaluateEvery'>;

/** Whether the validation after a step is one that looks: the first one in every 300 steps, from step 300 on. */
export function isObserved(step: number, intervals: Intervals): boolean {
  return step > 0 && Math.floor(step / STEPS) > Math.floor(validationBefore(step, intervals) / STEPS);
}

/** Whether no validation before that one looked. */
export function isFirstObserved(step: number, intervals: Intervals): boolean {
  return isObserved(step, intervals) && validationBefore(step, intervals) < STEPS;
}

function validationBefore(step: number, { evaluateEvery }: Intervals): number {
  return Math.floor((step - 1) / evaluateEvery) * evaluateEvery;
}

/** Sequences or images that are looked at. */
export function observedCount({ batchSize }: Pick<TrainingConfig, 'batchSize'>): number {
  return Math.min(MOST, batchSize);
}
