import { z } from 'zod';
import { createRandom } from '#src/random';
import type { StackConfig } from '#src/stacks';
import { prefixStack } from '#src/tokenformer';
import type { TrainingTask } from './trainingTask.js';

/** Nested dropout (Rippel et al., arXiv 1402.0915) of parameter tokens: the first ones also learn to do without the others. */
export const NestedConfig = z
  .strictObject({
    least: z
      .number()
      .gt(0)
      .lt(1)
      .describe('smallest prefix, as a share of each group; the logarithm of the share is uniform from there to all'),
    whole: z
      .number()
      .min(0)
      .lt(1)
      .default(0)
      .describe('share of the micro-batches that train all parameter tokens instead'),
  })
  .describe(
    'a micro-batch trains the first parameter tokens of every group alone, a random share of them, so that every prefix becomes a smaller model; of vision and language backbones',
  );
export type NestedConfig = z.output<typeof NestedConfig>;

/**
 * A task whose micro-batches train prefixes of a stack. Which one is drawn anew for each of them from its index: a resumed run
 * draws the same.
 *
 * @param taskOf the task over a stack: the whole one, or one of its prefixes with the same parameters
 */
export function nestedTask(
  stack: StackConfig,
  nested: NestedConfig | undefined,
  seed: number,
  taskOf: (stack: StackConfig) => TrainingTask,
): TrainingTask {
  const whole = taskOf(stack);
  if (nested === undefined || stack.kind === 'transformer') return whole;
  const taskAt = (index: number): TrainingTask => {
    const share = drawnShare(nested, seed, index);
    return share === 1 ? whole : taskOf(prefixStack(stack, { share }));
  };
  const { flopsIn, computation: _, ...others } = whole;
  return {
    ...others,
    loss: (index) => taskAt(index).loss(index),
    ...(flopsIn && { flopsIn: (index) => (taskAt(index).flopsIn ?? flopsIn)(index) }),
  };
}

/** The share of each group that a micro-batch trains. */
export function drawnShare({ least, whole }: NestedConfig, seed: number, index: number): number {
  const random = createRandom(seed, 'nested', index);
  return random.uniform() < whole ? 1 : least ** random.uniform();
}
