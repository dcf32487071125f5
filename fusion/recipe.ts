import { z } from 'zod';
import { shownText } from '#src/errors';
import { type FusionOption, fusionMethod, fusionMethods, unknownFusionMethod } from './methods/index.js';

/** What an option is when it is not used. */
const UNUSED = {
  imageStates: 'last',
  positionValues: false,
  recalibrate: false,
  imageGate: 'open',
} as const satisfies Record<FusionOption, unknown>;

const FusionKeys = z.strictObject({
  method: z
    .string()
    .refine((name) => fusionMethods().some((method) => method.name === name), {
      abort: true,
      error: ({ input }) => unknownFusionMethod(String(input)),
    })
    .default('routed')
    .describe(
      'routed: image tokens use the vision groups, text tokens the language groups; grouped: text tokens, and image tokens as ' +
        "text reads them, also use the other backbone's groups, behind gates that start at 0; union: one norm over all tokens " +
        'of a layer, which changes both backbones; crossAttention: gated cross-attention before each text block reads the ' +
        'image; prefix: a bridge group turns image tokens into text embeddings in front of the text; or a method that --plugin ' +
        'registers',
    ),
  imageStates: z
    .enum(['last', 'perLayer'])
    .default('last')
    .describe('vision states that text reads: the final ones, or for text layer l those that enter vision layer l'),
  positionValues: z
    .boolean()
    .optional()
    .describe(
      "the image-value bridge reads the vision position embedding ('where'), not the image state ('what'); true unless given, where there is such a bridge",
    ),
  recalibrate: z
    .boolean()
    .default(false)
    .describe('union: scale the key tokens of both backbones to one length, which alone changes neither'),
  imageGate: z
    .enum(['open', 'closed'])
    .optional()
    .describe(
      'closed: each head has a gate on the image that starts at 0, so that the model begins as the language model, with an ' +
        'image too; open unless given: text attends to the image from the start',
    ),
  bridge: z
    .strictObject({
      tokens: z.int().min(0).default(32).describe('parameter tokens of each bridge group; 0 for none'),
      kind: z
        .enum(['pattention', 'linear'])
        .default('pattention')
        .describe('linear: Θ is the identity, so that a group is a linear map of rank `tokens`, a low-rank adapter'),
      parts: z
        .array(z.string())
        .optional()
        .describe('where bridge groups sit; all places that the method has unless given'),
    })
    .prefault({})
    .describe('the groups that alignment trains'),
  lora: z
    .strictObject({
      rank: z.int().min(1).describe('rank of the map beside each layer'),
      backbones: z
        .array(z.enum(['vision', 'language']))
        .min(1)
        .default(['vision', 'language'])
        .describe('the backbones that have it'),
    })
    .optional()
    .describe(
      'a low-rank linear map beside every layer of the backbones, which alignment trains with the bridges; on text only beside an image; none unless given',
    ),
});

/** How two backbones become one model. */
export const FusionConfig = FusionKeys.superRefine((fusion, context) => {
  const problem = (path: readonly string[], message: string): void =>
    context.addIssue({ code: 'custom', path: [...path], message });
  const { bridge } = fusion;
  const method = fusionMethod(fusion.method);
  const foreign = bridge.parts?.find((part) => !method.parts.includes(part));
  if (foreign !== undefined) {
    problem(
      ['bridge', 'parts'],
      `expected parts of method '${method.name}' (${method.parts.join(', ')}), got ${shownText(foreign)}`,
    );
  }
  for (const option of Object.keys(UNUSED) as FusionOption[]) {
    const value = fusion[option];
    if (value === undefined || value === UNUSED[option] || method.options.includes(option)) continue;
    const users = fusionMethods().flatMap(({ name, options }) => (options.includes(option) ? [name] : []));
    problem(
      [option],
      `expected ${UNUSED[option]} with method '${method.name}', got ${value}; methods that use it: ${users.join(', ')}`,
    );
  }
  if (fusion.lora && method.changesBackbones) {
    problem(['lora'], `expected a method that leaves both backbones as they are, got '${method.name}'`);
  }
  for (const { path, message } of method.recipeProblems?.(resolved(fusion)) ?? []) problem(path, message);
}).transform(resolved);
export type FusionConfig = z.output<typeof FusionConfig>;
/** As a recipe writes it, defaults left out. */
export type FusionInput = z.input<typeof FusionConfig>;

/** Fills in what depends on the method. */
function resolved({ positionValues, imageGate, bridge, ...rest }: z.output<typeof FusionKeys>) {
  const parts = bridge.parts ?? [...fusionMethod(rest.method).parts];
  return {
    ...rest,
    positionValues: positionValues ?? parts.includes('imageValue'),
    // Open is what models have that were merged before there was the key: they and new ones are the same.
    ...(imageGate === 'closed' && { imageGate }),
    bridge: { ...bridge, parts },
  };
}

/** A merge recipe; paths (run directories or checkpoints) start at the working root. */
export const MergeRecipe = z.strictObject({
  kind: z.literal('merge'),
  name: z.string().min(1).describe('name of the merged model, and of its folder under --root'),
  seed: z.int().default(0).describe('draws the bridge groups'),
  vision: z.string().min(1).describe('the vision backbone: its run folder or checkpoint, from --root'),
  language: z.string().min(1).describe('the language backbone: its run folder or checkpoint, from --root'),
  fusion: FusionConfig.prefault({}).describe('how they become one model'),
});
export type MergeRecipe = z.output<typeof MergeRecipe>;
