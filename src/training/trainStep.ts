import { atMatmulPrecision, engineAtWork, tf } from '#src/engine';
import { RunError } from '#src/errors';
import { squaredNorm, withRecomputation } from '#src/kernels';
import type { AdamW } from './adamW.js';
import type { TrainingConfig } from './config.js';
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
  { step, optimizerStep = step, savedStep }: StepCounts,
): Promise<StepResult> {
  const names = task.parameters.trainableNames();
  const variables = names.map((name) => task.parameters.variable(name));
  const gradients = new Map<string, tf.Tensor>();
  const sums: tf.Scalar[] = [];
  let weight = 0;
  let units = 0;
  let flops = 0;
  let waited = 0;
  const prepare = (index: number): number => {
    const started = performance.now();
    task.prepare?.(index);
    return performance.now() - started;
  };
  const firstBatch = (step - 1) * config.gradientAccumulation;
  for (let index = firstBatch; index < firstBatch + config.gradientAccumulation; index++) {
    waited += prepare(index);
    const differentiate = () =>
      tf.variableGrads(() => {
        const batch = task.loss(index);
        weight += batch.weight;
        return batch.sum;
      }, variables);
    const { value, grads } = atMatmulPrecision(config.matmulPrecision, () =>
      withRecomputation(config.recompute === true, differentiate),
    );
    units += task.unitsIn(index);
    flops += task.flopsIn?.(index) ?? 0;
    sums.push(value);
    for (const name of names) {
      const gradient = grads[task.parameters.variable(name).name];
      if (gradient == null) continue;
      const before = gradients.get(name);
      gradients.set(name, before ? tf.add(before, gradient) : gradient);
      if (before) tf.dispose([before, gradient]);
    }
  }
  // One read-back a step: [Σ losses, Σ g²].
  const summary = tf.tidy(() => tf.stack([tf.addN(sums), squaredNorm([...gradients.values()])]));
  // The next batch is made while the engine computes this one.
  const ahead =
    engineAtWork()?.computesAside && step < config.steps ? prepare(firstBatch + config.gradientAccumulation) : 0;
  const asked = performance.now();
  const [lossSum, squaredGradients] = await summary.data();
  if (performance.now() - asked < IDLE_MS) waited += ahead;
  tf.dispose([summary, ...sums]);
  const loss = lossSum / weight;
  const gradientNorm = Math.sqrt(squaredGradients) / weight;
  if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
    tf.dispose([...gradients.values()]);
    const kept =
      savedStep === undefined ? 'no checkpoint was written yet' : `the checkpoint of step ${savedStep} is intact`;
    throw new RunError(
      `step ${step}: the loss is ${loss} and the gradient norm ${gradientNorm}; stopped, ${kept}. Batch: ${task.describeBatch(firstBatch)}. Try a lower learningRate or a longer warm-up`,
    );
  }
  const clip = Math.min(1, config.clipNorm / (gradientNorm + 1e-6));
  optimizer.apply(gradients, learningRateAt(step, config), clip / weight, optimizerStep);
  tf.dispose([...gradients.values()]);
  return { loss, gradientNorm, units, flops, dataSeconds: waited / 1000 };
}
