import { ConfigError, UserError } from '#src/errors';
import type { HostTensor } from '#src/storage';
import { mlpHidden, type TransformerConfig } from '../config.js';
import { duplicateHidden, duplicateWidth, type StreamRole } from './duplicate.js';
import { placeTopLeft } from './placeTopLeft.js';
import { stackLayers } from './stackLayers.js';
import type { TransformerGrowth } from './transformerGrowth.js';

/** `net2net`: copies in width; `eq13`: new parameters beside the old ones; `stack`: the blocks once more on top. */
export const TRANSFORMER_POLICIES = ['net2net', 'eq13', 'stack'] as const;
export type TransformerPolicy = (typeof TRANSFORMER_POLICIES)[number];

/** How much a Transformer grows: `factor` times its width, or depth for `stack`; or to `hidden` units in each MLP. */
export interface TransformerSizes {
  readonly policy: TransformerPolicy;
  readonly factor?: number | undefined;
  readonly hidden?: number | undefined;
  /** As `DuplicateOptions.noise`. */
  readonly noise?: number | undefined;
}

/** Enough that copies learn apart, too little to be seen in the loss. */
const NOISE = 0.01;

/**
 * The Transformer that a growth leads to.
 *
 * @param where before each message
 * @throws ConfigError when the sizes do not fit
 */
export function grownTransformer(before: TransformerConfig, sizes: TransformerSizes, where = ''): TransformerConfig {
  try {
    if (sizes.policy === 'eq13') return placedConfig(before, sizes);
    return duplicatedOrStacked(before, sizes, { groupName: '', roleOf: () => 'apart', seed: 0 }).config;
  } catch (error) {
    if (error instanceof UserError) throw new ConfigError(`${where}${error.message}`);
    throw error;
  }
}

/** What a growth needs to know of the model around the stack. */
export interface TransformerSite {
  readonly groupName: string;
  roleOf(name: string): StreamRole;
  /** Draws what is new. */
  readonly seed: number;
}

/** The growth from one Transformer to the one that `grownTransformer` gives. @param fresh new parameters of the larger model */
export function growTransformer(
  before: TransformerConfig,
  after: TransformerConfig,
  { growth, fresh, ...site }: TransformerSite & { growth: TransformerSizes; fresh: ReadonlyMap<string, HostTensor> },
): TransformerGrowth {
  if (growth.policy === 'eq13') return placeTopLeft(before, after, fresh, 'new');
  return duplicatedOrStacked(before, growth, site);
}

function duplicatedOrStacked(
  before: TransformerConfig,
  { policy, factor = 1, hidden, noise = NOISE }: TransformerSizes,
  { groupName, roleOf, seed }: TransformerSite,
): TransformerGrowth {
  if (policy === 'stack') return stackLayers(before, groupName, factor);
  if (hidden !== undefined) return duplicateHidden(before, groupName, hidden, { noise, seed });
  return duplicateWidth(before, groupName, factor, roleOf, { noise, seed });
}

/** Whole features, heads and hidden units, each `factor` times as many; or more hidden units alone. */
function placedConfig(before: TransformerConfig, { factor = 1, hidden }: TransformerSizes): TransformerConfig {
  const units = mlpHidden(before);
  if (hidden !== undefined) {
    if (hidden > units) return { ...before, mlpHidden: hidden };
    throw new UserError(`eq13: expected more than ${units} hidden units, got ${hidden}`);
  }
  const { dModel, numHeads } = before;
  const [features, heads, grown] = [dModel, numHeads, units].map((size) => size * factor);
  if (![features, heads, grown].every(Number.isInteger)) {
    throw new UserError(
      `eq13: expected a factor that leaves whole features, heads and hidden units (${dModel}, ${numHeads}, ${units}), got ${factor}: heads keep their width`,
    );
  }
  return { ...before, dModel: features, numHeads: heads, mlpHidden: grown };
}
