import type { tf } from '#src/engine';
import type { HostTensor } from '#src/storage';
import type { ParameterShapes, ParameterTree } from '#src/tokenformer';
import type { Observation } from '#src/tracking';
import type { BatchComputation } from './batchComputation.js';

/** The loss of one micro-batch, still to be divided by its weight. */
export interface BatchLoss {
  readonly sum: tf.Scalar;
  /** What `sum` is to be divided by: counted tokens, images. Batches of unequal weight accumulate correctly. */
  readonly weight: number;
}

/** What follows the parameters while they are trained, such as a moving average of them: a part of the training state. */
export interface TeacherState {
  /** What its file in a checkpoint holds. */
  shapes(): ParameterShapes;
  /** Follows the parameters after an optimizer step; steps count from 1. */
  follow(step: number): void;
  toHost(): Promise<Map<string, HostTensor>>;
  assign(tensors: ReadonlyMap<string, HostTensor>): void;
  dispose(): void;
}

/** What is trained: the loop knows nothing of images, tokens or pairs. */
export interface TrainingTask {
  readonly parameters: ParameterTree;
  readonly unit: 'tokens' | 'images' | 'pairs';
  /** Makes micro-batch `index` ready, for `loss` to find: while the engine computes, where it computes on its own. */
  prepare?(index: number): void;
  /** What its losses read besides the parameters; whoever made the task disposes it. Absent: nothing. */
  readonly teacher?: TeacherState | undefined;
  /** Loss of micro-batch `index`, a pure function of the parameters, of the teacher and of `index`. */
  loss(index: number): BatchLoss;
  /**
   * The same loss, for engines that record computations. Absent: what is computed differs between micro-batches in more than their numbers, or
   * needs the host.
   */
  computation?(index: number): BatchComputation;
  /** Units (tokens, images, pairs) in micro-batch `index`, for the throughput. */
  unitsIn(index: number): number;
  /**
   * Floating-point operations of the training step on micro-batch `index`: 3 × those of the products of its forward pass (2 for a
   * multiplication and an addition; the gradient costs twice the forward pass), frozen parameters counted as if they were trained; once
   * those of passes of which no gradient is taken, a teacher's. Absent: not counted.
   */
  flopsIn?(index: number): number;
  /** What micro-batch `index` holds, for the message of a failed step. */
  describeBatch(index: number): string;
  /**
   * Metrics on held-out data, named `validation/…`.
   *
   * @param check called before each batch; what it throws ends the evaluation
   */
  evaluate(check: () => void): Promise<Record<string, number>>;
  /**
   * What TensorBoard shows of the model beside those metrics; the loop calls it after some of the evaluations. Changes nothing, no
   * parameter and no random stream.
   *
   * @param isFirst whether this is the first time in the run
   */
  observe?(isFirst: boolean): Promise<Observation>;
  /**
   * Which of them decides the best checkpoint; `later`: none does, the last one is the best. `fromStart`: what was there before the first
   * step may be the best.
   */
  readonly selectBy: {
    readonly metric: string;
    readonly better: 'lower' | 'higher' | 'later';
    readonly fromStart?: boolean;
  };
}
