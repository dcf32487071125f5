import { z } from 'zod';
import { normActivationNames } from '#src/kernels';

const count = z.int().positive();

/** The Pattention layers of a block, in the order of the pass. */
export const LAYER_NAMES = ['query', 'key', 'value', 'output', 'ffn'] as const;
export type LayerName = (typeof LAYER_NAMES)[number];

const added = z.int().min(0).default(0);

/** A group that stands beside the backbone's own in every block: appended to a trained model, with a norm of its own. */
export const AppendedGroup = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z][\w-]{0,39}$/, 'expected up to 40 letters, digits, - and _, a letter first')
      .describe('name of the group; its parameters are called <backbone>.<name>'),
    query: added.describe('its parameter tokens in each query layer'),
    key: added.describe('in each key layer'),
    value: added.describe('in each value layer'),
    output: added.describe('in each attention output'),
    ffn: added.describe('in each feed-forward Pattention'),
    kind: z
      .enum(['pattention', 'linear'])
      .optional()
      .describe('linear: Θ is the identity, so that the group is a low-rank linear map; pattention unless given'),
  })
  .refine((group) => LAYER_NAMES.some((layer) => group[layer] > 0), 'expected parameter tokens in a layer, got none')
  .describe('a group of parameter tokens beside the own one, normalised on its own');
export type AppendedGroup = z.output<typeof AppendedGroup>;

/** Far more than anybody trains; a file that asks for more must not take up all memory. */
const MAX_LAYERS = 10_000;

/** Looked up at parse time, since a Θ may be registered until then. */
const NormActivationName = z.string().superRefine((name, context) => {
  const names = normActivationNames();
  if (!names.includes(name)) context.addIssue({ code: 'invalid_value', values: names, input: name });
});

/** The shape and the mathematics of a stack of TokenFormer blocks; the YAML keys are these names. */
export const TokenFormerConfig = z
  .strictObject({
    dModel: count.describe('width of the residual stream'),
    numLayers: count.max(MAX_LAYERS).describe('number of blocks'),
    numHeads: count.describe('heads of token-token attention; divides dModel'),
    qkvParamTokens: z
      .union([
        count,
        z.strictObject({
          query: count.describe('in each query layer'),
          key: count.describe('in each key layer'),
          value: count.describe('in each value layer'),
        }),
      ])
      .describe('parameter tokens of each of query, key and value; { query, key, value } where they differ'),
    outputParamTokens: count.describe('parameter tokens of the attention output'),
    ffnParamTokens: count.describe('parameter tokens of the feed-forward Pattention'),
    appendedGroups: z
      .array(AppendedGroup)
      .min(1)
      .optional()
      .describe('groups beside the own one, as tokenfuse grow --policy group appends them; none unless given'),
    normActivation: NormActivationName.default('l2NormGelu').describe(
      'Θ, how scores become weights: l2NormGelu, geluL2Norm, softmax or a registered one',
    ),
    gelu: z.enum(['erf', 'tanh']).default('erf').describe('the exact GELU, or its tanh approximation'),
    normEpsilon: z
      .number()
      .min(0)
      .default(1e-5)
      .describe('added to the norm of the scores; 0 in the official GPU code'),
    rotaryShare: z.number().min(0).max(1).default(0).describe('share of each head that carries rotary positions'),
    rotaryBase: z.number().positive().default(10_000).describe('base of the rotary wavelengths'),
  })
  .superRefine((config, context) => {
    if (config.dModel % config.numHeads !== 0) {
      context.addIssue({
        code: 'custom',
        path: ['numHeads'],
        message: `expected a divisor of dModel ${config.dModel}, got ${config.numHeads}`,
      });
    }
    const names = (config.appendedGroups ?? []).map(({ name }) => name);
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) {
      context.addIssue({
        code: 'custom',
        path: ['appendedGroups'],
        message: `expected names of their own, got '${twice}' twice`,
      });
    }
  })
  .describe('the TokenFormer blocks');

export type TokenFormerConfig = z.output<typeof TokenFormerConfig>;

/** How scores become weights in a stack. */
export type PattentionMath = Pick<TokenFormerConfig, 'normActivation' | 'gelu' | 'normEpsilon'>;

/** A group of a stack and its parameter tokens in each layer of a block; 0: the layer does without it. */
export interface StackGroup {
  readonly name: string;
  readonly paramTokens: Readonly<Record<LayerName, number>>;
  /** Present where Θ is the identity. */
  readonly norm?: 'linear';
}

/**
 * The groups of a stack, its own one first.
 *
 * @param groupName of the own one, such as `language`; appended groups are called `language.<name>`
 */
export function stackGroups(config: TokenFormerConfig, groupName: string): StackGroup[] {
  const { qkvParamTokens: qkv, outputParamTokens: output, ffnParamTokens: ffn, appendedGroups = [] } = config;
  const own = typeof qkv === 'number' ? { query: qkv, key: qkv, value: qkv } : qkv;
  return [
    { name: groupName, paramTokens: { ...own, output, ffn } },
    ...appendedGroups.map(({ name, kind, ...paramTokens }) => ({
      name: `${groupName}.${name}`,
      paramTokens,
      ...(kind === 'linear' && { norm: kind }),
    })),
  ];
}

/**
 * The stack with other numbers of parameter tokens. A layer that does without a group stays without it.
 *
 * @param count of a group in the layers of a name, given those that it has; of the own group where `appended` is undefined
 */
export function withParamTokens(
  config: TokenFormerConfig,
  count: (appended: string | undefined, layer: LayerName, tokens: number) => number,
): TokenFormerConfig {
  const { appendedGroups } = config;
  const [own] = stackGroups(config, '');
  const [query, key, value, output, ffn] = LAYER_NAMES.map((layer) => count(undefined, layer, own.paramTokens[layer]));
  const isUniform = query === key && key === value;
  return {
    ...config,
    qkvParamTokens: isUniform ? query : { query, key, value },
    outputParamTokens: output,
    ffnParamTokens: ffn,
    ...(appendedGroups && {
      appendedGroups: appendedGroups.map((group) => {
        const counts = LAYER_NAMES.map((layer) => [layer, group[layer] && count(group.name, layer, group[layer])]);
        return { ...group, ...(Object.fromEntries(counts) as Record<LayerName, number>) };
      }),
    }),
  };
}

/** Whether a group is the backbone's own or one appended to it. */
export function isGroupOf(groupName: string, name: string): boolean {
  return name === groupName || name.startsWith(`${groupName}.`);
}

/** Dimensions of a head that rotary positions rotate: int(share · headDim), as the official code rounds it; even. */
export function rotaryDims({
  dModel,
  numHeads,
  rotaryShare,
}: Pick<TokenFormerConfig, 'dModel' | 'numHeads' | 'rotaryShare'>): number {
  const dims = Math.floor((dModel / numHeads) * rotaryShare);
  return dims - (dims % 2);
}
