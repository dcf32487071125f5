import { ConfigError } from '#src/errors';
import type { HostTensor } from '#src/storage';
import {
  type GrowthConfig,
  grownStack,
  growParameters,
  growthProblems,
  type TokenFormerConfig,
} from '#src/tokenformer';
import type { ModelKind, StoredModel } from './checkpoint.js';
import { growthSeed } from './runGrowth.js';

/** Where the configuration of a kind of model has the stack that grows. */
export interface StackOfKind<Config> {
  /** Of the stack's own group. */
  readonly groupName: string;
  stackOf(config: Config): TokenFormerConfig;
  withStack(config: Config, stack: TokenFormerConfig): Config;
}

/**
 * Grows a trained model outside of a run.
 *
 * @param seed draws what is new
 * @throws ConfigError when the policy cannot be had
 */
export function growModel<Config>(
  kind: ModelKind<Config>,
  { groupName, stackOf, withStack }: StackOfKind<Config>,
  { config, tensors }: Pick<StoredModel<Config>, 'config' | 'tensors'>,
  growth: GrowthConfig,
  seed: number,
): { readonly config: Config; readonly tensors: Map<string, HostTensor> } {
  const policy = growth.policy === 'official' ? 'official' : 'preserve';
  const stack = grownStack(stackOf(config), growth);
  const problems = growthProblems(stackOf(config), stack, policy);
  if (problems.length > 0) throw new ConfigError(problems);
  const grown = withStack(config, stack);
  const fresh = kind.parameters(grown, growthSeed(seed, 0));
  return { config: grown, tensors: growParameters(tensors, fresh, groupName, policy) };
}
