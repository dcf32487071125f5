import { z } from 'zod';

/** Where bridge groups can sit: on text tokens, on image tokens as text reads them, on what attention read of the image. */
export const BRIDGE_PARTS = ['textQuery', 'textKey', 'textValue', 'imageKey', 'imageValue', 'imageOutput'] as const;
/** The four layers of a cross-attention of its own. */
export const CROSS_PARTS = ['crossQuery', 'crossKey', 'crossValue', 'crossOutput'] as const;
/** The layer that makes image tokens into text embeddings. */
export const PREFIX_PARTS = ['prefix'] as const;
const ALL_PARTS = [...BRIDGE_PARTS, ...CROSS_PARTS, ...PREFIX_PARTS] as const;
export type BridgePart = (typeof ALL_PARTS)[number];

const METHODS = ['routed', 'grouped', 'union', 'crossAttention', 'prefix'] as const;
export type FusionMethod = (typeof METHODS)[number];

/** The places for bridge groups that a method has. */
const PARTS: Readonly<Record<FusionMethod, readonly BridgePart[]>> = {
  routed: BRIDGE_PARTS,
  grouped: BRIDGE_PARTS,
  union: BRIDGE_PARTS,
  crossAttention: CROSS_PARTS,
  prefix: PREFIX_PARTS,
};

/** True when text attends to the image in its own layers' softmax, through both backbones' groups. */
export function isJoint(method: FusionMethod): boolean {
  return method !== 'crossAttention' && method !== 'prefix';
}

/** How two backbones become one model. */
export const FusionConfig = z
  .strictObject({
    // Joint layers are routed, grouped and union; crossAttention (Flamingo, arXiv 2204.14198) and prefix (LiMBeR, arXiv
    // 2209.15162) are what others do, to compare with.
    method: z
      .enum(METHODS)
      .default('routed')
      .describe(
        'routed: image tokens use the vision groups, text tokens the language groups; grouped: text tokens, and image tokens as ' +
          "text reads them, also use the other backbone's groups, behind gates that start at 0; union: one norm over all tokens " +
          'of a layer, which changes both backbones; crossAttention: a gated attention of its own before each text block reads ' +
          'the image; prefix: a bridge group makes image tokens into text embeddings in front of the text',
      ),
    imageStates: z
      .enum(['last', 'aligned'])
      .default('last')
      .describe(
        'vision states that text layers read. last: the final ones; aligned: text layer l those entering vision layer l',
      ),
    positionValues: z
      .boolean()
      .optional()
      .describe(
        'the image-value bridge reads position embeddings (where), not image states (what); true unless given, where there is ' +
          'such a bridge',
      ),
    recalibrate: z
      .boolean()
      .default(false)
      .describe('with union: key tokens of both backbones are scaled to one length'),
    bridge: z
      .strictObject({
        tokens: z.int().min(0).default(32).describe('parameter tokens of each bridge group; 0 for none'),
        kind: z
          .enum(['pattention', 'linear'])
          .default('pattention')
          .describe('linear: Θ is the identity, and a group a low-rank adapter of rank tokens'),
        parts: z
          .array(z.enum(ALL_PARTS))
          .optional()
          .describe('where bridge groups sit; all parts of the method unless given'),
      })
      .prefault({})
      .describe('the groups that alignment trains'),
  })
  .superRefine(({ method, imageStates, positionValues, recalibrate, bridge }, context) => {
    const problem = (path: string[], message: string): void => context.addIssue({ code: 'custom', path, message });
    const foreign = bridge.parts?.find((part) => !PARTS[method].includes(part));
    if (foreign !== undefined) {
      problem(
        ['bridge', 'parts'],
        `expected parts of method '${method}' (${PARTS[method].join(', ')}), got ${foreign}`,
      );
    }
    if (recalibrate && method !== 'union') problem(['recalibrate'], `expected method 'union' with it, got '${method}'`);
    if (positionValues && isJoint(method) && bridge.parts && !bridge.parts.includes('imageValue')) {
      problem(['positionValues'], "expected 'imageValue' among bridge.parts with it: no other part reads positions");
    }
    if (isJoint(method)) return;
    if (positionValues) problem(['positionValues'], `expected a joint method with it, got '${method}'`);
    if (bridge.tokens === 0) problem(['bridge', 'tokens'], `expected 1 or more: method '${method}' is nothing else`);
    if (method === 'prefix' && imageStates !== 'last') {
      problem(['imageStates'], `expected 'last': method 'prefix' reads the image once, got '${imageStates}'`);
    }
  })
  .transform(({ positionValues, bridge, ...rest }) => {
    const parts = bridge.parts ?? [...PARTS[rest.method]];
    return { ...rest, positionValues: positionValues ?? parts.includes('imageValue'), bridge: { ...bridge, parts } };
  });
export type FusionConfig = z.output<typeof FusionConfig>;
/** As a recipe writes it, defaults left out. */
export type FusionInput = z.input<typeof FusionConfig>;

/** A merge recipe; paths (run directories or checkpoints) start at the working root. */
export const MergeRecipe = z.strictObject({
  kind: z.literal('merge'),
  name: z.string().min(1).describe('name of the merged model, and of its folder under --root'),
  seed: z.int().default(0).describe('draws the bridge groups'),
  vision: z.string().min(1).describe('the vision backbone: its run folder or checkpoint, from --root'),
  language: z.string().min(1).describe('the language backbone, likewise'),
  fusion: FusionConfig.prefault({}).describe('how they become one model'),
});
export type MergeRecipe = z.output<typeof MergeRecipe>;
