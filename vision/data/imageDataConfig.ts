import { z } from 'zod';
import { LabelGridConfig } from './labelGrid.js';

/** How images become squares of one size. */
export const Preprocessing = z.strictObject({
  /**
   * How an image of another shape becomes a square: `stretch` changes its proportions, `cover` cuts the longer side,
   * `contain` keeps everything and fills the rest with `background`.
   */
  resize: z.enum(['stretch', 'cover', 'contain']).default('stretch'),
  /** Red, green, blue in 0..255: what shows through transparent pixels and around a `contain`ed image. */
  background: z
    .tuple([z.int().min(0).max(255), z.int().min(0).max(255), z.int().min(0).max(255)])
    .default([255, 255, 255]),
});
export type Preprocessing = z.output<typeof Preprocessing>;

/** Fields that every kind of image data shares. */
const shared = {
  ...Preprocessing.shape,
  /** Share of the images, in 0..1, that may be unreadable; they are skipped, counted and reported. */
  maxBrokenShare: z.number().min(0).max(1).default(0),
  /** Share of the images, in [0, 1), kept out of training for data that has no validation set of its own. */
  validationShare: z.number().min(0).lt(1).default(0),
  /** Another seed gives another split; an image keeps its side however many are added around it. */
  validationSeed: z.int().default(0),
};

/** Image data by `kind`; paths are relative to the folder given when it is opened. */
export const ImageDataConfig = z.discriminatedUnion('kind', [
  /** A folder per class; classes are numbered in name order. */
  z.strictObject({ kind: z.literal('classFolders'), path: z.string().min(1), ...shared }),
  /** A COCO-style JSON file; `images` is by default the `images` folder beside it, else the file's own folder. */
  z.strictObject({
    kind: z.literal('coco'),
    annotations: z.string().min(1),
    images: z.string().min(1).optional(),
    ...shared,
  }),
  /** Every image below a folder, without labels. */
  z.strictObject({ kind: z.literal('folder'), path: z.string().min(1), ...shared }),
  /** WebDataset shards: one, a folder of them, or a list; labels are in `.cls` and `.json` beside an image. */
  z.strictObject({
    kind: z.literal('webdataset'),
    path: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]),
    /** What the numbers in `cells` mean, for labels on a grid. */
    grid: LabelGridConfig.optional(),
    ...shared,
  }),
]);
export type ImageDataConfig = z.output<typeof ImageDataConfig>;
