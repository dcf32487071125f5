import { z } from 'zod';
import { GROWTH_POLICIES, TokensByLayer } from '#src/tokenformer';
import { TRANSFORMER_POLICIES } from '#src/transformer';

const POLICIES = [...GROWTH_POLICIES, ...TRANSFORMER_POLICIES] as const;
type Policy = (typeof POLICIES)[number];

/** The keys that say how much, by policy. */
const SIZE_KEYS: Readonly<Record<Policy, readonly SizeKey[]>> = {
  preserve: ['factor', 'tokens', 'layers'],
  official: ['factor', 'tokens', 'layers'],
  group: ['factor', 'tokens', 'layers'],
  net2net: ['factor', 'hidden'],
  eq13: ['factor', 'hidden'],
  stack: ['factor'],
};
type SizeKey = 'factor' | 'tokens' | 'layers' | 'hidden';

/** The keys of a growth; a schema that spreads them refines itself with `refuseNoGrowth`. */
export const growthKeys = {
  policy: z
    .enum(POLICIES)
    .default('preserve')
    .describe(
      'of a TokenFormer: preserve: zero keys and random values, τ kept, the function stays; official: random, τ anew; group: a new group with zero values, the function stays. ' +
        'Of a standard Transformer: net2net: copies in width, the function stays; eq13: new parameters beside the old ones in width; stack: the blocks once more on top',
    ),
  factor: z
    .number()
    .gt(1)
    .optional()
    .describe(
      'every layer has so many times its parameter tokens afterwards; of a Transformer, its width (net2net, eq13) or depth (stack)',
    ),
  tokens: TokensByLayer.optional().describe('parameter tokens to append, by layer; instead of factor'),
  layers: z
    .int()
    .positive()
    .optional()
    .describe('blocks to append; each starts as the identity: the values of its output and feed-forward are 0'),
  hidden: z
    .int()
    .positive()
    .optional()
    .describe('net2net, eq13: hidden units of each MLP afterwards, the width kept; instead of factor'),
  noise: z
    .number()
    .min(0)
    .optional()
    .describe(
      'net2net: standard deviation of what tells copies apart, as a share of the weights’ root mean square; it cancels in sums. 0.01 unless given; with 0, copies stay equal',
    ),
};

/** What a model is to grow by. */
export const GrowthConfig = z.strictObject(growthKeys).superRefine(refuseNoGrowth);
export type GrowthConfig = z.output<typeof GrowthConfig>;

/** Refuses a growth that adds nothing, says twice how much, or has a key that its policy does not take. */
export function refuseNoGrowth(
  growth: Pick<GrowthConfig, 'policy' | 'noise' | SizeKey>,
  context: z.RefinementCtx,
): void {
  const { policy } = growth;
  const taken = SIZE_KEYS[policy];
  const say = (message: string, ...path: string[]): void => context.addIssue({ code: 'custom', path, message });
  const foreign = (['factor', 'tokens', 'layers', 'hidden'] as const).find(
    (key) => growth[key] !== undefined && !taken.includes(key),
  );
  if (foreign) say(`policy ${policy} takes ${taken.join(', ')}, got ${foreign}`, foreign);
  if (growth.noise !== undefined && policy !== 'net2net')
    say('has no effect: expected policy net2net with it', 'noise');
  if (growth.factor !== undefined && growth.tokens !== undefined) say('expected factor or tokens, got both', 'tokens');
  if (growth.factor !== undefined && growth.hidden !== undefined) say('expected factor or hidden, got both', 'hidden');
  if (!foreign && taken.every((key) => growth[key] === undefined)) {
    const [last, ...others] = [...taken].reverse();
    say(
      others.length === 0
        ? `expected ${last}, got none`
        : `expected ${others.reverse().join(', ')} or ${last}, got none of them`,
    );
  }
}
