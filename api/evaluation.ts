/**
 * `tokenfuse/evaluation`: caption test sets and score the captions together with their controls.
 *
 * @module tokenfuse/evaluation
 */
export {
  type EvaluationResult,
  type EvaluationRow,
  type Experiment,
  evaluate,
  type RunOptions,
  type ScoreInterval,
  type StopSignal,
} from './training.js';
