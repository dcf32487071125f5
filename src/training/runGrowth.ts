import { createRandom } from '#src/random';
import { type GrowthConfig, type GrowthSite, type StackConfig, type StackGrowth, stackGrowth } from '#src/stacks';
import type { HostTensor } from '#src/storage';
import type { ParameterShapes } from '#src/tokenformer';
import type { ModelDescription } from './checkpoint.js';
import type { TrainingTask } from './trainingTask.js';

/** A model of one of the sizes that it grows through. */
export interface GrownModel {
  readonly stack: StackConfig;
  /** Over the same tree as before. */
  task(): TrainingTask;
  readonly model: ModelDescription;
  /** New parameters; drawn when they are first read. */
  fresh(seed: number): Map<string, HostTensor>;
}

/** How a model grows while it is trained. Sizes count the growths that are behind: 0 is the model as it starts. */
export interface RunGrowth {
  after(size: number): { readonly task: TrainingTask; readonly model: ModelDescription };
  /** Names and shapes of the parameters of a size. */
  shapes(size: number): ParameterShapes;
  /** New parameters of a size. */
  fresh(size: number): Map<string, HostTensor>;
  /** The parameters of a size, made of those of the size before. */
  grow(size: number, trained: ReadonlyMap<string, HostTensor>): Map<string, HostTensor>;
  /** Moments for them, made of those of the size before; what is missing in a tensor is 0. */
  growMoments(size: number, moments: ReadonlyMap<string, HostTensor>): ReadonlyMap<string, HostTensor>;
  /** Whether the model has parameter tokens, old and new ones. */
  readonly byTokens: boolean;
}

/**
 * @param stages as configured
 * @param site of the stack that grows
 * @param seed of the experiment: each growth draws from streams of its own
 * @param at the model of a size
 */
export function runGrowth(
  stages: readonly GrowthConfig[],
  site: GrowthSite,
  seed: number,
  at: (size: number) => GrownModel,
): RunGrowth {
  const fresh = (size: number): Map<string, HostTensor> => at(size).fresh(growthSeed(seed, size));
  const growthTo = (size: number): StackGrowth =>
    stackGrowth(at(size - 1).stack, stages[size - 1], site, growthSeed(seed, size));
  return {
    after: (size) => ({ task: at(size).task(), model: at(size).model }),
    shapes: fresh,
    fresh,
    grow: (size, trained) => growthTo(size).parameters(trained, fresh(size)),
    growMoments: (size, moments) => growthTo(size).moments(moments, fresh(size)),
    byTokens: at(0).stack.kind !== 'transformer',
  };
}

/** The seed of what a growth adds; another one than that of the parameters, which begin the same streams. */
export function growthSeed(seed: number, size: number): number {
  return createRandom(seed, 'growth', size).integer(2 ** 31);
}

/** Rows of each parameter; 1 for a scalar. */
export function rowCounts(shapes: ParameterShapes): Map<string, number> {
  return new Map([...shapes].map(([name, { shape }]) => [name, shape[0] ?? 1]));
}
