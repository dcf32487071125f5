import { z } from 'zod';
import { renamedKey } from '#src/config';
import { Preprocessing } from './data/index.js';
import { AnyVisionConfig, VisionConfig } from './model/config.js';
import { ObjectiveConfig } from './objectives/index.js';

/** The labels that a vision model was trained on. */
export const VisionLabels = z.strictObject({
  classNames: z.array(z.string()).optional(),
  attributeNames: z.array(z.string()).optional(),
  grid: z
    .strictObject({
      rows: z.int(),
      cols: z.int(),
      attributes: z.array(z.strictObject({ name: z.string(), values: z.array(z.string()) })),
    })
    .optional(),
});
export type VisionLabels = z.output<typeof VisionLabels>;

/** Description of a vision checkpoint. */
const modelConfig = <Backbone extends z.ZodType>(backbone: Backbone) =>
  renamedKey(
    'vision',
    'backbone',
    z.strictObject({
      backbone,
      /** How images were made square; images to caption are prepared the same way. */
      preprocessing: Preprocessing.prefault({}),
      objectives: z.array(ObjectiveConfig),
      labels: VisionLabels,
    }),
  );

/** Of a vision TokenFormer. */
export const VisionModelConfig = modelConfig(VisionConfig);
export type VisionModelConfig = z.output<typeof VisionModelConfig>;

/** Of any vision backbone. */
export const AnyVisionModelConfig = modelConfig(AnyVisionConfig);
export type AnyVisionModelConfig = z.output<typeof AnyVisionModelConfig>;
