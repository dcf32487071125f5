import type { tf } from '#src/engine';
import { bridgeDropout } from '../../bridgeDropout.js';
import type { CaptionPairs } from '../../captionPairs.js';
import type { FusionOptions, JointModel } from '../../jointModel.js';

/** Metrics of the validation pairs that may decide the best checkpoint. */
export const CAPTION_METRICS = ['captionNll', 'captionAccuracy'] as const;
export type CaptionMetric = (typeof CAPTION_METRICS)[number];

/** Inputs that the objectives of an alignment are built from. */
export interface ObjectiveContext {
  readonly model: JointModel;
  readonly train: CaptionPairs;
  readonly validation: CaptionPairs;
  /** Pairs of a micro-batch. */
  readonly batchSize: number;
  /** Micro-batches of a step. */
  readonly gradientAccumulation: number;
  readonly seed: number;
  /** Whether gradients reach the image states (`train: all`, or LoRA on the vision backbone). */
  readonly visionMoves: boolean;
  /** Probability that a parameter token of a bridge is left out of a micro-batch; none unless given. */
  readonly bridgeDropout?: number | undefined;
  /** Decides the best checkpoint. */
  readonly selectBy: CaptionMetric;
  readonly root: string;
  readonly cacheDir: string;
}

/** Vision states of images by position, as `imageStates` gives them; from a cache where the vision backbone is frozen. */
export type StatesOf = (pairs: CaptionPairs, positions: Int32Array) => tf.Tensor4D;

/**
 * An objective of alignment. The loss of a micro-batch is Σ_o c_o · sum_o / weight_o over its objectives o; c of the first
 * one is 1.
 */
export interface AlignObjective {
  /** c above. */
  readonly coefficient: number;
  /** The sum of losses of micro-batch `index`, in nats, and its divisor. */
  loss(index: number, statesOf: StatesOf): { readonly sum: tf.Scalar; readonly weight: number };
  /** Metrics of held-out data by name. */
  measure(statesOf: StatesOf): Promise<Record<string, number>>;
  dispose(): void;
}

/** How an objective is built from its configuration once the model and the pairs are open. */
export type ObjectiveFactory<C> = (config: C, context: ObjectiveContext) => AlignObjective;

/** The bridges as micro-batch `index` trains them: on, with dropout where an alignment asks for it. */
export function trainedBridges(index: number, seed: number, dropout: number | undefined): FusionOptions {
  return { bridge: true, ...(dropout && { dropout: bridgeDropout(dropout, seed, index) }) };
}
