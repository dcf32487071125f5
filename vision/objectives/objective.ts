import { type InputArray, inputTensor, type tf } from '#src/engine';
import type { HostTensor } from '#src/storage';
import type { ParameterTree } from '#src/tokenformer';
import type { ImageBatch, LabelNames, LabelRequirement } from '../data/index.js';
import type { VisionStates } from '../model/backbone.js';
import type { AnyVisionConfig } from '../model/config.js';

/** One batch as an objective sees it. */
export interface ObjectiveInput {
  readonly tree: ParameterTree;
  readonly batch: ImageBatch;
  /** [batch, imageSize, imageSize, 3] */
  readonly pixelValues: tf.Tensor4D;
  /** The forward pass over whole images, computed once for all objectives that ask. */
  readonly states: () => VisionStates;
  /** Names the random stream of this batch. */
  readonly streamId: string;
  /** What the objective's `targets` gave, as tensors; made of the batch unless given. */
  readonly targets?: readonly tf.Tensor[] | undefined;
  /** Of an objective with a teacher: its parameters, under the names that the model has them. */
  readonly teacher?: ParameterTree | undefined;
}

/** The teacher that the input of an objective with one must bring. */
export function teacherOf({ teacher }: ObjectiveInput): ParameterTree {
  if (teacher === undefined) throw new Error('ObjectiveInput: expected the parameters of a teacher, got none');
  return teacher;
}

/** Says what of a batch an objective reads besides the images. */
export type TargetsOf = (batch: ImageBatch) => readonly InputArray[];

/** The targets of an input as tensors. */
export function targetsIn({ targets, batch }: ObjectiveInput, targetsOf: TargetsOf): readonly tf.Tensor[] {
  return targets ?? targetsOf(batch).map(inputTensor);
}

/** A count of successes or a sum of errors over `count` cases; means are taken over the whole evaluation. */
export interface Tally {
  readonly sum: tf.Tensor;
  readonly count: tf.Tensor | number;
}

/** What a vision backbone learns from: a head, perhaps a teacher, its loss, and what is measured of it. */
export interface Objective {
  readonly name: string;
  readonly weight: number;
  createParameters(seed: number): Map<string, HostTensor>;
  /** Whether the loss asks for the forward pass over whole images, which all objectives share. */
  readonly seesWholeImages: boolean;
  /** Multiplications with an addition in the products of one image's loss, that forward pass and the teacher's not among them. */
  readonly multiplyAdds: number;
  /** What follows the parameters and is predicted; absent where nothing is. */
  readonly teacher?: {
    /** Parameters that it has a moving average of. */
    readonly names: readonly string[];
    /** Share of the average that a first step keeps. */
    readonly momentum: number;
    /** Multiplications with an addition in the products of its passes over one image. */
    readonly multiplyAdds: number;
  };
  /** All that the loss reads of a batch besides images and sizes; absent where there is more, such as what a random stream draws. */
  readonly targets?: TargetsOf;
  /** Σ over the images of the batch. */
  loss(input: ObjectiveInput): tf.Scalar;
  /** Metrics of a held-out batch by name, to be summed over batches. */
  measure(input: ObjectiveInput): Record<string, Tally>;
}

/** How an objective is built from its configuration once the labels of the data are known. */
export type ObjectiveFactory<C> = (config: C, vision: AnyVisionConfig, labels: LabelNames, seed: number) => Objective;

export type { LabelRequirement };
