import { engineAtWork, tf } from '#src/engine';
import { RunError } from '#src/errors';
import type { AdamW } from './adamW.js';
import type { TrainingConfig } from './config.js';
import { lossAndGradients, type RecordedGradients, type StepGradients, summaryOf } from './recordedGradients.js';
import { learningRateAt } from './schedule.js';
import type { TrainingTask } from './trainingTask.js';

/** Where training stands. */
export interface StepCounts {
  /** Counts from 1; it decides which micro-batches are taken. */
  readonly step: number;
  /** Steps of the optimizer's moments, this one included; `step` unless given. */
  readonly optimizerStep?: number | undefined;
  /** Of the last checkpoint, for the message; undefined before the first one. */
  readonly savedStep?: number | undefined;
  /** Of the run. Without it nothing is recorded. */
  readonly recordings?: RecordedGradients | undefined;
}

/** What a step did. */
export interface StepResult {
  /** Mean over the weight of its micro-batches. */
  readonly loss: number;
  readonly gradientNorm: number;
  readonly units: number;
  readonly flops: number;
  /** Seconds in which nothing was computed because the next micro-batch was not ready; at most so many where the engine computes on its own. */
  readonly dataSeconds: number;
}

/** A read-back that is over sooner found the engine idle: it had ended while the next batch was made. */
const IDLE_MS = 0.1;

/**
 * One optimizer step over its micro-batches: gradients, clipping by the global norm, AdamW. `config.matmulPrecision` is that of
 * losses and gradients; everything else, evaluation too, is float32.
 *
 * @throws RunError when the loss or a gradient is not finite
 */
export async function trainStep(
  task: TrainingTask,
  config: TrainingConfig,
  optimizer: AdamW,
  { step, optimizerStep = step, savedStep, recordings }: StepCounts,
): Promise<StepResult> {
  const firstBatch = (step - 1) * config.gradientAccumulation;
  const batches = Array.from({ length: config.gradientAccumulation }, (_, i) => firstBatch + i);
  let [units, flops, waited] = [0, 0, 0];
  const prepare = (index: number): number => {
    const started = performance.now();
    task.prepare?.(index);
    return performance.now() - started;
  };
  const begin = (index: number): void => {
    waited += prepare(index);
    units += task.unitsIn(index);
    flops += task.flopsIn?.(index) ?? 0;
  };
  begin(firstBatch);
  const started = performance.now();
  const recorded = recordings?.of(task, config, firstBatch);
  const { summary, gradients, weight, dispose } = recorded ?? accumulatedGradients(task, config, batches, begin);
  const issued = performance.now() - started;
  // The next batch is made while the engine computes this one.
  const ahead =
    engineAtWork()?.computesAside && step < config.steps ? prepare(firstBatch + config.gradientAccumulation) : 0;
  const asked = performance.now();
  const [lossSum, squaredGradients] = await summary.data();
  const rest = performance.now() - asked;
  if (rest < IDLE_MS) waited += ahead;
  if (recorded === undefined) recordings?.took(issued, ahead + rest);
  const loss = lossSum / weight;
  const gradientNorm = Math.sqrt(squaredGradients) / weight;
  if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
    dispose();
    const kept =
      savedStep === undefined ? 'no checkpoint was written yet' : `the checkpoint of step ${savedStep} is intact`;
    throw new RunError(
      `step ${step}: the loss is ${loss} and the gradient norm ${gradientNorm}; stopped, ${kept}. Batch: ${task.describeBatch(firstBatch)}. Try a lower learningRate or a longer warm-up`,
    );
  }
  const clip = Math.min(1, config.clipNorm / (gradientNorm + 1e-6));
  optimizer.apply(gradients, learningRateAt(step, config), clip / weight, optimizerStep);
  dispose();
  return { loss, gradientNorm, units, flops, dataSeconds: waited / 1000 };
}

/**
 * Sums over micro-batches.
 *
 * @param begin called before each after the first
 */
function accumulatedGradients(
  task: TrainingTask,
  config: TrainingConfig,
  batches: readonly number[],
  begin: (index: number) => void,
): StepGradients {
  const gradients = new Map<string, tf.Tensor>();
  const sums: tf.Scalar[] = [];
  let weight = 0;
  for (const [i, index] of batches.entries()) {
    if (i > 0) begin(index);
    const { value, gradients: more } = lossAndGradients(task, config, () => {
      const batch = task.loss(index);
      weight += batch.weight;
      return batch.sum;
    });
    sums.push(value);
    for (const [name, gradient] of more) {
      const before = gradients.get(name);
      gradients.set(name, before ? tf.add(before, gradient) : gradient);
      if (before) tf.dispose([before, gradient]);
    }
  }
  const summary = summaryOf(sums, gradients);
  tf.dispose(sums);
  return { summary, gradients, weight, dispose: () => tf.dispose([summary, ...gradients.values()]) };
}
