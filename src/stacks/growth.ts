import { growthProblems, type TokenPolicy } from '#src/tokenformer';
import type { StackConfig } from './config.js';
import type { GrowthConfig } from './growthConfig.js';
import { grownStackOf } from './stackGrowth.js';

/**
 * The stacks that a model grows through in a run: as it starts, then after each growth.
 *
 * @throws ConfigError when a policy cannot be had
 */
export function stackSizes(config: StackConfig, growths: readonly GrowthConfig[] = []): StackConfig[] {
  const sizes = [config];
  for (const [i, growth] of growths.entries()) sizes.push(grownStackOf(sizes[i], growth, `training.stages[${i}]`));
  return sizes;
}

/**
 * Why training cannot start with the parameters of a trained stack: one line per key. A TokenFormer may be smaller; a Transformer
 * must be of the same size.
 *
 * @param policy where tokens that are appended to a group come from
 */
export function startProblems(from: StackConfig, to: StackConfig, policy: TokenPolicy): string[] {
  if (from.kind !== 'transformer' && to.kind !== 'transformer') return growthProblems(from, to, policy);
  const keys = new Set([...Object.keys(from), ...Object.keys(to)]) as Set<keyof StackConfig>;
  const kindOf = ({ kind = 'tokenformer' }: StackConfig): string => kind;
  if (kindOf(from) !== kindOf(to))
    return [`model.stack.kind: expected ${kindOf(from)}, as in the trained model, got ${kindOf(to)}`];
  return [...keys]
    .filter((key) => from[key] !== to[key])
    .map((key) => `model.stack.${key}: expected ${from[key]}, as in the trained model, got ${to[key]}`);
}
