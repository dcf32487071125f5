import { z } from 'zod';
import { KARPATHY_SPLITS, maxImagePixels } from '#src/data';
import { LabelGridConfig } from './labelGrid.js';

/** How images become squares of one size. */
export const Preprocessing = z.strictObject({
  resize: z
    .enum(['stretch', 'cover', 'contain'])
    .default('stretch')
    .describe(
      'how an image becomes a square: stretch changes its proportions, cover crops the longer side, contain keeps all and fills ' +
        'the rest with background',
    ),
  background: z
    .tuple([z.int().min(0).max(255), z.int().min(0).max(255), z.int().min(0).max(255)])
    .default([255, 255, 255])
    .describe('red, green, blue behind transparent pixels and around contained images'),
});
export type Preprocessing = z.output<typeof Preprocessing>;

/** Fields that every kind of image data shares. */
const shared = {
  ...Preprocessing.shape,
  maxBrokenShare: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe('share of the images that may be unreadable; they are skipped and reported'),
  maxImagePixels,
  validationShare: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe('share of the images kept out of training, where there are no validation images'),
  validationSeed: z.int().default(0).describe('draws that share; an image stays on its side when others are added'),
};

/** Image data by `kind`; paths are relative to the folder given when it is opened. */
export const ImageDataConfig = z.discriminatedUnion('kind', [
  z
    .strictObject({
      kind: z.literal('classFolders'),
      path: z.string().min(1).describe('the folder that holds a folder per class'),
      ...shared,
    })
    .describe('a folder per class, numbered in name order'),
  z
    .strictObject({
      kind: z.literal('coco'),
      annotations: z
        .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
        .describe('the JSON file, or several whose images are taken together; labels on a grid need a single one'),
      images: z
        .string()
        .min(1)
        .optional()
        .describe(
          "folder of the image files; unless given, the folder images next to the JSON file, else that file's folder",
        ),
      ...shared,
    })
    .describe('a COCO-style JSON file with classes, attributes or a label grid'),
  z
    .strictObject({
      kind: z.literal('karpathy'),
      path: z.string().min(1).describe('the JSON file'),
      images: z.string().min(1).optional().describe('folder of the image files, as for coco'),
      split: z
        .union([z.enum(KARPATHY_SPLITS), z.array(z.enum(KARPATHY_SPLITS)).min(1)])
        .describe('the split to take, or several'),
      ...shared,
    })
    .describe('splits of a Karpathy file, such as dataset_coco.json, without labels'),
  z
    .strictObject({
      kind: z.literal('folder'),
      path: z.string().min(1).describe('the folder; those below it are searched too'),
      ...shared,
    })
    .describe('every image below a folder, without labels'),
  z
    .strictObject({
      kind: z.literal('webdataset'),
      path: z
        .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
        .describe('a shard, a folder of shards, or a list of shards'),
      grid: LabelGridConfig.optional().describe('what the numbers in cells mean, for labels on a grid'),
      ...shared,
    })
    .describe('WebDataset shards, with labels in .cls and .json members'),
]);
export type ImageDataConfig = z.output<typeof ImageDataConfig>;
