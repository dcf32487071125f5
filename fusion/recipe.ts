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
    /**
     * Joint layers: `routed`: image tokens use the vision groups, text tokens the language groups. `grouped`: text tokens, and
     * image tokens as text reads them, also use the other backbone's groups, behind tanh gates that start at 0. `union`: one
     * norm over all tokens of a layer, for both streams; changes both backbones.
     *
     * What others do, to compare with: `crossAttention`: before each text block a gated attention of its own reads the image
     * (Flamingo, arXiv 2204.14198); `prefix`: a bridge group makes image tokens into text embeddings in front of the text
     * (LiMBeR, arXiv 2209.15162).
     */
    method: z.enum(METHODS).default('routed'),
    /** Which vision states the text layers read: the final ones, or layer l those that enter vision layer l. */
    imageStates: z.enum(['last', 'aligned']).default('last'),
    /**
     * The image-value bridge reads the vision position embedding ('where'), not the image state ('what'); true unless given,
     * where there is such a bridge.
     */
    positionValues: z.boolean().optional(),
    /** `union`: key tokens of both backbones are scaled to one length, which alone changes neither. */
    recalibrate: z.boolean().default(false),
    bridge: z
      .strictObject({
        tokens: z.int().min(0).default(32).describe('parameter tokens of each bridge group; 0 for none'),
        /** `linear`: Θ is the identity, so that a group is a linear map of rank `tokens`, a low-rank adapter. */
        kind: z.enum(['pattention', 'linear']).default('pattention'),
        parts: z.array(z.enum(ALL_PARTS)).optional().describe('all that the method has unless given'),
      })
      .prefault({}),
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
  name: z.string().min(1),
  seed: z.int().default(0).describe('draws the bridge groups'),
  vision: z.string().min(1),
  language: z.string().min(1),
  fusion: FusionConfig.prefault({}),
});
export type MergeRecipe = z.output<typeof MergeRecipe>;
