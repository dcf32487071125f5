import { z } from 'zod';

/** Where bridge groups can sit: on text tokens, on image tokens as text reads them, on what attention read of the image. */
export const BRIDGE_PARTS = ['textQuery', 'textKey', 'textValue', 'imageKey', 'imageValue', 'imageOutput'] as const;
export type BridgePart = (typeof BRIDGE_PARTS)[number];

/** How two backbones become one model. */
export const FusionConfig = z.strictObject({
  /**
   * `routed`: image tokens use the vision groups, text tokens the language groups. `grouped`: text tokens, and image tokens
   * as text reads them, also use the other backbone's groups, behind tanh gates that start at 0. `union`: one norm over
   * all tokens of a layer, for both streams; changes both backbones.
   */
  method: z.enum(['routed', 'grouped', 'union']).default('routed'),
  /** Which vision states the text layers read: the final ones, or layer l those that enter vision layer l. */
  imageStates: z.enum(['last', 'aligned']).default('last'),
  /** The image-value bridge, where there is one, reads the vision position embedding ('where'), not the image state ('what'). */
  positionValues: z.boolean().default(true),
  bridge: z
    .strictObject({
      tokens: z.int().min(0).default(32).describe('parameter tokens of each bridge group; 0 for none'),
      parts: z.array(z.enum(BRIDGE_PARTS)).default([...BRIDGE_PARTS]),
    })
    .prefault({}),
});
export type FusionConfig = z.output<typeof FusionConfig>;

/** A merge recipe; paths (run directories or checkpoints) start at the working root. */
export const MergeRecipe = z.strictObject({
  kind: z.literal('merge'),
  name: z.string().min(1),
  seed: z.int().default(0).describe('draws the bridge keys'),
  vision: z.string().min(1),
  language: z.string().min(1),
  fusion: FusionConfig.prefault({}),
});
export type MergeRecipe = z.output<typeof MergeRecipe>;
