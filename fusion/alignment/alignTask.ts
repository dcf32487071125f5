import { tf } from '#src/engine';
import type { TrainingTask } from '#src/training';
import type { CaptionPairs } from '../captionPairs.js';
import { imageStates } from '../imageContexts.js';
import type { JointModel } from '../jointModel.js';
import { cacheImageStates, pixelTensor } from '../stateCache.js';
import type { AlignObjective, CaptionMetric, StatesOf } from './objectives/index.js';

/** Images whose states are computed at a time, before training. */
const CACHE_BATCH = 64;

/**
 * Vision states of the images of `sets`: computed once for a frozen vision backbone, for one in training with every batch.
 */
export async function openStates(
  model: JointModel,
  sets: readonly CaptionPairs[],
  visionMoves: boolean,
): Promise<StatesOf> {
  if (visionMoves) return (pairs, positions) => imageStates(model, pixelTensor(model, pairs, positions));
  const caches = new Map<CaptionPairs, Awaited<ReturnType<typeof cacheImageStates>>>();
  for (const pairs of sets) caches.set(pairs, await cacheImageStates(model, pairs, CACHE_BATCH));
  return (pairs, positions) => {
    const cache = caches.get(pairs);
    if (cache === undefined) throw new RangeError('openStates: expected pairs that were opened, got others');
    return cache.states(positions);
  };
}

export interface AlignTaskOptions {
  readonly model: JointModel;
  readonly objectives: readonly AlignObjective[];
  readonly statesOf: StatesOf;
  readonly train: CaptionPairs;
  readonly batchSize: number;
  readonly seed: number;
  /** Decides the best checkpoint. */
  readonly selectBy: CaptionMetric;
  /** Further metrics of the validation pairs. */
  readonly measure: (statesOf: StatesOf) => Promise<Record<string, number>>;
  readonly observe?: TrainingTask['observe'];
}

/** Alignment as the training loop sees it. */
export function alignTask(options: AlignTaskOptions): TrainingTask {
  const { model, objectives, statesOf, train, batchSize, seed, selectBy, measure, observe } = options;
  return {
    parameters: model.tree,
    unit: 'pairs',
    loss: (index) => combinedLoss(objectives, index, statesOf),
    unitsIn: () => batchSize,
    describeBatch: (index) => {
      const { images } = train.batchAt(index, batchSize, seed);
      const ids = [...images].slice(0, 4).map((position) => train.imageIds[position]);
      return `images ${ids.join(', ')}, …`;
    },
    evaluate: async (check) => {
      const checked: StatesOf = (pairs, positions) => {
        check();
        return statesOf(pairs, positions);
      };
      const metrics: Record<string, number> = {};
      for (const objective of objectives) {
        check();
        Object.assign(metrics, await objective.measure(checked));
      }
      return Object.assign(metrics, await measure(checked));
    },
    ...(observe && { observe }),
    // A closed gate starts as the language model alone: whatever trains, the best is, by that metric, no worse.
    selectBy: {
      metric: `validation/${selectBy}`,
      better: selectBy === 'captionNll' ? 'lower' : 'higher',
      fromStart: model.config.fusion.imageGate === 'closed',
    },
  };
}

/** sum_0 + weight_0 · Σ_o c_o · sum_o / weight_o, to be divided by weight_0. */
function combinedLoss(
  objectives: readonly AlignObjective[],
  index: number,
  statesOf: StatesOf,
): { sum: tf.Scalar; weight: number } {
  const [first, ...others] = objectives.map(({ coefficient, loss }) => ({ coefficient, ...loss(index, statesOf) }));
  const sum = others.reduce<tf.Scalar>(
    (total, other) =>
      tf.add(total, tf.mul(tf.mul(other.sum, other.coefficient / other.weight), first.weight)) as tf.Scalar,
    first.sum,
  );
  return { sum, weight: first.weight };
}
