import type { PassedOver } from '#src/data';
import type { ByteSource } from '#src/storage';

/** An image, as a file or in an archive, with a key that does not depend on where its data set is stored. */
export interface ImageEntry extends ByteSource {
  readonly key: string;
}

/** Labels on a grid over the image: `attributes.length` integers per cell, each an index into its attribute's values. */
export interface LabelGrid {
  readonly rows: number;
  readonly cols: number;
  readonly attributes: readonly { readonly name: string; readonly values: readonly string[] }[];
}

/** The labels that an objective needs: a class per image, attributes per image, labels per grid cell, or none. */
export type LabelRequirement = 'class' | 'attributes' | 'grid' | 'none';

/** The meaning of label indices: a validation set must use those of the training set. */
export interface LabelNames {
  readonly classNames?: readonly string[];
  readonly attributeNames?: readonly string[];
  readonly grid?: LabelGrid;
}

/** A list of images with the labels of their source, before decoding. */
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
  /** What lies in a folder of images besides them. */
  readonly passedOver?: readonly PassedOver[];
}
