import { atMatmulPrecision, type ComputationRecorder, engineAtWork, type RecordedComputation, tf } from '#src/engine';
import { squaredNorm, withRecomputation } from '#src/kernels';
import { type BatchComputation, lossOf } from './batchComputation.js';
import type { TrainingConfig } from './config.js';
import type { TrainingTask } from './trainingTask.js';

/** What the gradients of a step are: not yet divided by the weight. */
export interface StepGradients {
  /** [Σ losses, Σ g²] */
  readonly summary: tf.Tensor;
  readonly gradients: ReadonlyMap<string, tf.Tensor>;
  readonly weight: number;
  dispose(): void;
}

/** How a step is computed. */
type StepSettings = Pick<TrainingConfig, 'matmulPrecision' | 'recompute' | 'gradientAccumulation'>;

/** What is known of micro-batches of the same shapes. */
interface Entry {
  /** Steps in a row that it would have paid to record. */
  worthwhile: number;
  recorded?: { readonly computation: RecordedComputation; readonly names: readonly string[] };
  isRefused?: true;
}

/** Steps in a row that must have been worth recording before one is: the first are slow for reasons that do not last. */
const STEPS_BEFORE = 3;
/** Recorded computations that are kept; each has memory of its own. */
const MOST_RECORDED = 8;

/**
 * The loss and the gradients of a micro-batch.
 *
 * @param sum of its losses
 */
export function lossAndGradients(
  { parameters }: TrainingTask,
  { matmulPrecision, recompute }: StepSettings,
  sum: () => tf.Scalar,
): { value: tf.Scalar; gradients: Map<string, tf.Tensor> } {
  const names = parameters.trainableNames();
  const variables = names.map((name) => parameters.variable(name));
  const { value, grads } = atMatmulPrecision(matmulPrecision, () =>
    withRecomputation(recompute === true, () => tf.variableGrads(sum, variables)),
  );
  const gradients = new Map<string, tf.Tensor>();
  for (const [i, name] of names.entries()) {
    const gradient = grads[variables[i].name];
    if (gradient != null) gradients.set(name, gradient);
  }
  return { value, gradients };
}

/** [Σ losses, Σ g²], to be read back at once. */
export function summaryOf(sums: readonly tf.Scalar[], gradients: ReadonlyMap<string, tf.Tensor>): tf.Tensor {
  return tf.tidy(() => tf.stack([tf.addN([...sums]), squaredNorm([...gradients.values()])]));
}

/**
 * Gradients of tasks with a `computation`, on engines that record computations: steps that JavaScript holds up become one command. They give
 * the same bits; what does not, on the micro-batch that it is recorded with, is not used. One for a run.
 */
export class RecordedGradients {
  readonly #entries = new Map<string, Entry>();
  /** Of the last micro-batch, where it may be recorded. */
  #last: Entry | undefined;

  /** Those of a micro-batch; undefined where they are to be computed otherwise. */
  of(task: TrainingTask, config: StepSettings, index: number): StepGradients | undefined {
    this.#last = undefined;
    const recorder = engineAtWork()?.recorder?.();
    if (recorder === undefined || config.gradientAccumulation > 1) return undefined;
    const batch = task.computation?.(index);
    if (batch === undefined) return undefined;
    const entry = this.#entry(batch);
    this.#last = entry;
    if (entry.recorded === undefined && !entry.isRefused && entry.worthwhile >= STEPS_BEFORE && this.#hasRoom()) {
      const recorded = record(recorder, task, config, batch);
      if (recorded !== undefined && givesTheSame(recorded.computation, task, config, batch)) {
        entry.recorded = recorded;
      } else {
        recorded?.computation.dispose();
        entry.isRefused = true;
      }
    }
    if (entry.recorded === undefined) return undefined;
    const { computation, names } = entry.recorded;
    const results = computation.run(batch.arrays);
    if (results === undefined) {
      // The parameters are others, as after a growth.
      computation.dispose();
      this.#entries.delete(keyOf(batch));
      this.#last = this.#entry(batch);
      return undefined;
    }
    const [summary, ...gradients] = results;
    return {
      summary,
      gradients: new Map(names.map((name, i) => [name, gradients[i]])),
      weight: batch.weight,
      dispose: () => undefined,
    };
  }

  /** Tells how long the last micro-batch took, computed otherwise: in JavaScript, and after it until the engine was done. */
  took(issueMs: number, restMs: number): void {
    const entry = this.#last;
    if (entry === undefined) return;
    entry.worthwhile = engineAtWork()?.recorder?.()?.pays(issueMs, restMs) ? entry.worthwhile + 1 : 0;
  }

  dispose(): void {
    for (const { recorded } of this.#entries.values()) recorded?.computation.dispose();
    this.#entries.clear();
  }

  #hasRoom(): boolean {
    return [...this.#entries.values()].filter(({ recorded }) => recorded !== undefined).length < MOST_RECORDED;
  }

  #entry(batch: BatchComputation): Entry {
    const key = keyOf(batch);
    const entry = this.#entries.get(key) ?? { worthwhile: 0 };
    this.#entries.set(key, entry);
    return entry;
  }
}

function keyOf({ arrays }: BatchComputation): string {
  return arrays.map(({ shape }) => shape.join('×')).join(' ');
}

function record(
  recorder: ComputationRecorder,
  task: TrainingTask,
  config: StepSettings,
  batch: BatchComputation,
): Entry['recorded'] | undefined {
  const { parameters } = task;
  let names: readonly string[] = [];
  const computation = recorder.record(
    batch.arrays,
    parameters.names().map((name) => parameters.variable(name)),
    (inputs) => {
      const { value, gradients } = lossAndGradients(task, config, () => batch.sum(inputs, true));
      names = [...gradients.keys()];
      return [summaryOf([value], gradients), ...gradients.values()];
    },
  );
  return computation && { computation, names };
}

/** Whether a recorded computation gives the loss and the gradient norm, to the bit, that the task gives without it. */
function givesTheSame(
  computation: RecordedComputation,
  task: TrainingTask,
  config: StepSettings,
  batch: BatchComputation,
): boolean {
  const recorded = computation.run(batch.arrays)?.[0].dataSync();
  const computed = tf.tidy(() => {
    const { value, gradients } = lossAndGradients(task, config, () => lossOf(batch).sum);
    return summaryOf([value], gradients).dataSync();
  });
  return recorded !== undefined && computed.every((number, i) => Object.is(number, recorded[i]));
}
