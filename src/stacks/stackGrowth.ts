import { ConfigError } from '#src/errors';
import type { HostTensor } from '#src/storage';
import { GROWTH_POLICIES, grownStack, growParameters, growthProblems, type TokenPolicy } from '#src/tokenformer';
import {
  growMoments,
  grownTransformer,
  growTransformer,
  growParameters as growTransformerParameters,
  type StreamRole,
  TRANSFORMER_POLICIES,
  type TransformerConfig,
  type TransformerPolicy,
} from '#src/transformer';
import type { StackConfig } from './config.js';
import type { GrowthConfig } from './growthConfig.js';

type HostTensors = ReadonlyMap<string, HostTensor>;

/** Where a stack stands among the parameters of its model. */
export interface GrowthSite {
  /** Of the stack's own group. */
  readonly groupName: string;
  /** What the tensors outside of the stack do with the features of its stream. */
  roleOf(name: string): StreamRole;
}

/** A growth of a stack, as a map of tensors. */
export interface StackGrowth {
  /** Of the larger stack. */
  readonly config: StackConfig;
  /**
   * The parameters of the larger model.
   *
   * @param fresh new parameters of it, drawn when they are first read
   */
  parameters(trained: HostTensors, fresh: HostTensors): Map<string, HostTensor>;
  /** AdamW's moments for them, as a checkpoint holds them; a TokenFormer's are still to be padded with zeros. */
  moments(moments: HostTensors, fresh: HostTensors): HostTensors;
}

/**
 * How a stack grows.
 *
 * @param seed draws what is new
 * @throws ConfigError when the policy is for the other kind of stack, or cannot be had
 */
export function stackGrowth(
  before: StackConfig,
  growth: GrowthConfig,
  { groupName, roleOf }: GrowthSite,
  seed: number,
): StackGrowth {
  const config = grownStackOf(before, growth);
  if (before.kind === 'transformer') {
    const options = { growth: { ...growth, policy: growth.policy as TransformerPolicy }, groupName, roleOf, seed };
    const way = (fresh: HostTensors) => growTransformer(before, config as TransformerConfig, { ...options, fresh });
    return {
      config,
      parameters: (trained, fresh) => {
        const grown = growTransformerParameters(way(fresh), trained);
        return new Map([...fresh.keys()].map((name) => [name, grown.get(name) as HostTensor]));
      },
      moments: (moments, fresh) => growMoments(way(fresh), moments),
    };
  }
  return {
    config,
    parameters: (trained, fresh) => growParameters(trained, fresh, groupName, tokenPolicyOf(growth)),
    moments: (moments) => moments,
  };
}

/**
 * The stack that a growth leads to.
 *
 * @param place of the growth in the experiment file, for messages
 * @throws ConfigError when the policy is for the other kind of stack, or cannot be had
 */
export function grownStackOf(before: StackConfig, growth: GrowthConfig, place?: string): StackConfig {
  const where = place === undefined ? '' : `${place}: `;
  const { policy } = growth;
  if (before.kind === 'transformer') {
    if (!isOneOf(TRANSFORMER_POLICIES, policy)) {
      throw new ConfigError(
        `${where}policy: expected ${TRANSFORMER_POLICIES.join(', ')} for a standard Transformer, which has no parameter tokens, got ${policy}`,
      );
    }
    return grownTransformer(before, { ...growth, policy }, where);
  }
  if (!isOneOf(GROWTH_POLICIES, policy)) {
    throw new ConfigError(
      `${where}policy: expected ${GROWTH_POLICIES.join(', ')} for a TokenFormer, got ${policy}, which is for a standard Transformer`,
    );
  }
  const after = grownStack(before, { ...growth, policy });
  const problems = growthProblems(before, after, tokenPolicyOf(growth)).map((problem) => `${where}${problem}`);
  if (problems.length > 0) throw new ConfigError(problems);
  return after;
}

function isOneOf<T extends string>(policies: readonly T[], policy: string): policy is T {
  return policies.some((candidate) => candidate === policy);
}

/** Where tokens that are appended to a group come from; a group of its own needs none. */
function tokenPolicyOf({ policy }: GrowthConfig): TokenPolicy {
  return policy === 'official' ? 'official' : 'preserve';
}
