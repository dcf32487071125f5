import type { TrainingConfig } from './config.js';

type ScheduleConfig = Pick<
  TrainingConfig,
  'steps' | 'learningRate' | 'finalLearningRateShare' | 'warmupSteps' | 'schedule' | 'decayShare' | 'stages'
>;

/**
 * Learning rate of step t (from 1) of T, with peak p, floor f and w steps of warm-up:
 *
 *   t ≤ w:     p · t/w
 *   cosine:    p · ( f + (1−f) (1 + cos(π x))/2 )      x = (t−w)/(T−w)
 *   wsd:       p · ( 1 − (1−f) x )                     x = the share of the decay that is behind, 0 before it
 *
 * After a growth at step s with w' steps of warm-up: the above, times min(1, (t−s)/w').
 *
 * wsd (warm-up, stable, decay): Hu et al., MiniCPM, arXiv 2404.06395.
 */
export function learningRateAt(step: number, config: ScheduleConfig): number {
  const rate = scheduledRate(step, config);
  const stage = config.stages?.findLast(({ afterStep }) => afterStep < step);
  return stage && stage.warmupSteps > 0 ? rate * Math.min(1, (step - stage.afterStep) / stage.warmupSteps) : rate;
}

function scheduledRate(step: number, config: ScheduleConfig): number {
  const { steps, learningRate, finalLearningRateShare: floor, warmupSteps, schedule = 'cosine' } = config;
  if (step <= warmupSteps) return (learningRate * step) / warmupSteps;
  if (schedule === 'wsd') {
    const decaySteps = Math.round(steps * (config.decayShare ?? 0.2));
    const behind = Math.max(0, step - (steps - decaySteps)) / Math.max(1, decaySteps);
    return learningRate * (1 - (1 - floor) * Math.min(1, behind));
  }
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, steps - warmupSteps));
  const cosine = (1 + Math.cos(Math.PI * progress)) / 2;
  return learningRate * (floor + (1 - floor) * cosine);
}
