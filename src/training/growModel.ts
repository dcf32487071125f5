import { type GrowthConfig, type GrowthSite, type StackConfig, type StackGrowth, stackGrowth } from '#src/stacks';
import type { HostTensor } from '#src/storage';
import type { ModelKind, StoredModel } from './checkpoint.js';
import { growthSeed } from './runGrowth.js';

/** Where the configuration of a kind of model has the stack that grows. */
export interface StackOfKind<Config> extends GrowthSite {
  stackOf(config: Config): StackConfig;
  withStack(config: Config, stack: StackConfig): Config;
}

/** A model that has grown outside of a run. */
export interface GrownModelFile<Config> {
  readonly config: Config;
  readonly tensors: Map<string, HostTensor>;
  /** AdamW's moments for it. */
  moments(moments: ReadonlyMap<string, HostTensor>): ReturnType<StackGrowth['moments']>;
}

/**
 * Grows a trained model outside of a run.
 *
 * @param seed draws what is new
 * @throws ConfigError when the policy cannot be had
 */
export function growModel<Config>(
  kind: ModelKind<Config>,
  site: StackOfKind<Config>,
  { config, tensors }: Pick<StoredModel<Config>, 'config' | 'tensors'>,
  growth: GrowthConfig,
  seed: number,
): GrownModelFile<Config> {
  const own = growthSeed(seed, 0);
  const grown = stackGrowth(site.stackOf(config), growth, site, own);
  const larger = site.withStack(config, grown.config);
  const fresh = kind.parameters(larger, own);
  return {
    config: larger,
    tensors: grown.parameters(tensors, fresh),
    moments: (moments) => grown.moments(moments, fresh),
  };
}
