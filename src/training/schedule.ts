import type { TrainingConfig } from './config.js';

type ScheduleConfig = Pick<TrainingConfig, 'steps' | 'learningRate' | 'finalLearningRateShare' | 'warmupSteps'>;

/**
 * Learning rate of step t (from 1): linear warm-up over w steps, then cosine from the peak to floor · peak at the end.
 *
 *   t ≤ w:  peak · t/w        else:  peak · ( f + (1−f) (1 + cos(π (t−w)/(T−w)))/2 )
 */
export function learningRateAt(step: number, config: ScheduleConfig): number {
  const { steps, learningRate, finalLearningRateShare, warmupSteps } = config;
  if (step <= warmupSteps) return (learningRate * step) / warmupSteps;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, steps - warmupSteps));
  const cosine = (1 + Math.cos(Math.PI * progress)) / 2;
  return learningRate * (finalLearningRateShare + (1 - finalLearningRateShare) * cosine);
}
