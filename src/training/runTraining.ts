import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Output } from '#src/cli';
import { atMatmulPrecision, tf } from '#src/engine';
import { RunError } from '#src/errors';
import { squaredNorm } from '#src/kernels';
import type { ParameterTree } from '#src/tokenformer';
import { createProgress, createTracker } from '#src/tracking';
import { AdamW } from './adamW.js';
import { type Checkpoint, type ModelDescription, writeCheckpoint } from './checkpoint.js';
import { findCheckpoint, pointAt } from './checkpointPointers.js';
import type { TrainingConfig } from './config.js';
import { restoreRun } from './restoreRun.js';
import { learningRateAt } from './schedule.js';
import { readProgress, type TrainingState } from './trainingState.js';

/** The loss of one micro-batch, still to be divided by its weight. */
export interface BatchLoss {
  readonly sum: tf.Scalar;
  /** What `sum` is to be divided by: counted tokens, images. Batches of unequal weight accumulate correctly. */
  readonly weight: number;
}

/** What is trained: the loop knows nothing of images, tokens or pairs. */
export interface TrainingTask {
  readonly parameters: ParameterTree;
  readonly unit: 'tokens' | 'images' | 'pairs';
  /** Loss of micro-batch `index`, a pure function of the parameters and of `index`. */
  loss(index: number): BatchLoss;
  /** Units (tokens, images, pairs) in micro-batch `index`, for the throughput. */
  unitsIn(index: number): number;
  /** What micro-batch `index` holds, for the message of a failed step. */
  describeBatch(index: number): string;
  /** Metrics on held-out data, named `validation/…`. */
  evaluate(): Promise<Record<string, number>>;
  /** Which of them decides the best checkpoint. */
  readonly selectBy: { readonly metric: string; readonly better: 'lower' | 'higher' };
}

/** Where a run that trains reads and writes. */
export interface RunOptions {
  readonly runDir: string;
  /** Paths of the experiment start here. */
  readonly root: string;
  readonly cacheDir: string;
  /** Whether to continue from the last checkpoint in `runDir`. */
  readonly resume: boolean;
  readonly output: Output;
}

export interface TrainingRun {
  readonly task: TrainingTask;
  readonly config: TrainingConfig;
  readonly seed: number;
  readonly runDir: string;
  readonly label: string;
  readonly model: ModelDescription;
  readonly assets: Checkpoint['assets'];
  readonly resume: boolean;
  readonly output: Output;
}

export interface TrainingResult {
  readonly steps: number;
  readonly bestStep: number;
  readonly bestValue: number;
  /** Metrics of the last evaluation. */
  readonly last: Record<string, number>;
}

/**
 * Trains to `config.steps`, with evaluations, logs and checkpoints. With `resume` it continues from the last
 * checkpoint and ends with the same bytes as an uninterrupted run. The first loss or gradient that is not finite stops the
 * run; the last checkpoint stays as it was.
 */
export async function runTraining(run: TrainingRun): Promise<TrainingResult> {
  const { task, config, seed, runDir } = run;
  const optimizer = new AdamW(task.parameters, config);
  const restored = run.resume ? restoreRun({ ...run, parameters: task.parameters }, optimizer) : undefined;
  let state: TrainingState = restored ?? { step: 0, seed, dataPosition: 0, bestValue: null, bestStep: null };
  // A run killed before its first checkpoint starts over: nothing it logged is kept, not even step 0.
  const tracker = createTracker({ runDir, resumeStep: run.resume ? (restored?.step ?? -1) : undefined });
  const progress = createProgress({
    total: config.steps,
    start: state.step,
    label: run.label,
    unit: task.unit,
    output: run.output,
  });
  let last: Record<string, number> = {};
  try {
    if (restored === undefined) {
      last = await task.evaluate();
      tracker.log(0, last);
      if (config.steps === 0) {
        state = { ...state, bestValue: last[task.selectBy.metric], bestStep: 0 };
        tracker.flush();
        await save(run, optimizer, state, true);
      }
    } else if (isOver(state, config)) {
      last = await task.evaluate();
    }
    for (let step = state.step + 1; !isOver(state, config); step++) {
      // Lets signals and messages through when the engine computes on this thread.
      await setImmediate();
      const started = performance.now();
      const { loss, gradientNorm, units } = await trainStep(task, config, optimizer, step);
      const seconds = (performance.now() - started) / 1000;
      if (step % config.logEvery === 0 || step === 1 || step === config.steps) {
        const learningRate = learningRateAt(step, config);
        tracker.log(step, {
          'train/loss': loss,
          'train/gradientNorm': gradientNorm,
          'train/learningRate': learningRate,
        });
        tracker.timing(step, { stepSeconds: seconds, [`${task.unit}PerSecond`]: units / seconds });
      }
      progress.update(step, { loss, unitsPerSecond: units / seconds });
      state = { ...state, step, dataPosition: step * config.gradientAccumulation };
      let improved = false;
      if (step % config.evaluateEvery === 0 || step === config.steps) {
        last = await task.evaluate();
        tracker.log(step, last);
        const value = last[task.selectBy.metric];
        const { bestValue } = state;
        // NaN is never better.
        improved =
          task.selectBy.better === 'lower'
            ? value < (bestValue ?? Number.POSITIVE_INFINITY)
            : value > (bestValue ?? Number.NEGATIVE_INFINITY);
        if (improved) state = { ...state, bestValue: value, bestStep: step };
      }
      if (improved || step % config.checkpointEvery === 0 || isOver(state, config)) {
        // A checkpoint must never be ahead of the metrics on disk: resuming keeps only what was logged up to its step.
        tracker.flush();
        await save(run, optimizer, state, improved);
      }
    }
  } finally {
    progress.done();
    tracker.close();
    optimizer.dispose();
  }
  return { steps: state.step, bestStep: state.bestStep ?? 0, bestValue: state.bestValue ?? Number.NaN, last };
}

/** Whether the run in a directory has ended: all its steps are done, or its patience is. */
export function isTrained(runDir: string, config: TrainingConfig): boolean {
  if (!existsSync(join(runDir, 'checkpoints', 'last.json'))) return false;
  return isOver(readProgress(findCheckpoint(runDir, 'last')), config);
}

/** Whether a run ends here: all steps are done, or its patience is. */
function isOver({ step, bestStep }: TrainingState, { steps, patience, evaluateEvery }: TrainingConfig): boolean {
  const evaluationsSinceBest = (step - (bestStep ?? step)) / evaluateEvery;
  return step >= steps || evaluationsSinceBest >= (patience ?? Number.POSITIVE_INFINITY);
}

/**
 * One optimizer step over its micro-batches: gradients, clipping by the global norm, AdamW. `config.matmulPrecision` is that of
 * losses and gradients; everything else, evaluation too, is float32.
 *
 * @param step counts from 1; it decides which micro-batches are taken
 * @throws UserError when the loss or a gradient is not finite
 */
export async function trainStep(
  task: TrainingTask,
  config: TrainingConfig,
  optimizer: AdamW,
  step: number,
): Promise<{ loss: number; gradientNorm: number; units: number }> {
  const names = task.parameters.trainableNames();
  const variables = names.map((name) => task.parameters.variable(name));
  const gradients = new Map<string, tf.Tensor>();
  const sums: tf.Scalar[] = [];
  let weight = 0;
  let units = 0;
  const firstBatch = (step - 1) * config.gradientAccumulation;
  for (let index = firstBatch; index < firstBatch + config.gradientAccumulation; index++) {
    const { value, grads } = atMatmulPrecision(config.matmulPrecision, () =>
      tf.variableGrads(() => {
        const batch = task.loss(index);
        weight += batch.weight;
        return batch.sum;
      }, variables),
    );
    units += task.unitsIn(index);
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
  const [lossSum, squaredGradients] = await summary.data();
  tf.dispose([summary, ...sums]);
  const loss = lossSum / weight;
  const gradientNorm = Math.sqrt(squaredGradients) / weight;
  if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
    tf.dispose([...gradients.values()]);
    throw new RunError(
      `step ${step}: the loss is ${loss} and the gradient norm ${gradientNorm}; stopped, the last checkpoint is intact. Batch: ${task.describeBatch(firstBatch)}. Try a lower learningRate or a longer warm-up`,
    );
  }
  const clip = Math.min(1, config.clipNorm / (gradientNorm + 1e-6));
  optimizer.apply(gradients, learningRateAt(step, config), clip / weight, step);
  tf.dispose([...gradients.values()]);
  return { loss, gradientNorm, units };
}

async function save(run: TrainingRun, optimizer: AdamW, state: TrainingState, isBest: boolean): Promise<void> {
  const name = `step-${String(state.step).padStart(7, '0')}`;
  writeCheckpoint(
    join(run.runDir, 'checkpoints', name),
    { model: run.model, tensors: await run.task.parameters.toHost(), assets: run.assets },
    { optimizer: await optimizer.toHost(), state },
  );
  pointAt(run.runDir, isBest ? ['best', 'last'] : ['last'], name);
}
