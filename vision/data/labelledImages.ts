import type { ByteSource } from '#src/storage';

/** An image, as a file or in an archive, and the name by which it is known whatever folder its data set lies in. */
export interface ImageEntry extends ByteSource {
  readonly key: string;
}

/** Labels on a grid over the image: `attributes.length` integers per cell, each an index into its attribute's values. */
export interface LabelGrid {
  readonly rows: number;
  readonly cols: number;
  readonly attributes: readonly { readonly name: string; readonly values: readonly string[] }[];
}

/** What a model must learn from: a class per image, attributes per image, labels per grid cell, or the pixels alone. */
export type LabelRequirement = 'class' | 'attributes' | 'grid' | 'none';

/** What labels mean: a validation set must number them as the training set does. */
export interface LabelNames {
  readonly classNames?: readonly string[];
  readonly attributeNames?: readonly string[];
  readonly grid?: LabelGrid;
}

/** A list of images with whatever labels their source carries, before any is decoded. */
export interface LabelledImages {
  readonly entries: readonly ImageEntry[];
  readonly classNames?: readonly string[];
  /** [entries], index into `classNames`. */
  readonly labels?: Int32Array;
  readonly attributeNames?: readonly string[];
  /** [entries, attributeNames], 0 or 1. */
  readonly attributes?: Uint8Array;
  readonly grid?: LabelGrid;
  /** [entries, rows, cols, grid.attributes]. */
  readonly cells?: Int32Array;
}
