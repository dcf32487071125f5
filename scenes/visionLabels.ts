import { COLOURS, COMBINATIONS, SHAPES, SIZES } from './attributes.js';
import { GRID_ATTRIBUTES, gridCells } from './gridCells.js';
import type { SceneRecord } from './scene.js';

/** What the whole image shows at least once: 48 'colour shape', 16 'size colour', 12 'size shape'. */
const CATEGORIES: readonly { readonly id: number; readonly name: string }[] = [
  ...COMBINATIONS.map((combination) => combination.name),
  ...SIZES.flatMap((size) => COLOURS.map((colour) => `${size} ${colour}`)),
  ...SIZES.flatMap((size) => SHAPES.map((shape) => `${size} ${shape}`)),
].map((name, i) => ({ id: i + 1, name }));

const CATEGORY_ID = new Map(CATEGORIES.map(({ id, name }) => [name, id]));

/** COCO-style labels without captions: image-level categories as annotations, and a grid of labels per image. */
export interface VisionLabels {
  readonly images: readonly {
    readonly id: number;
    readonly file_name: string;
    readonly width: number;
    readonly height: number;
    /** rows x cols x attributes indices into `values`, row by row. */
    readonly cells: readonly number[];
  }[];
  readonly categories: typeof CATEGORIES;
  readonly annotations: readonly { readonly id: number; readonly image_id: number; readonly category_id: number }[];
  readonly grid: { readonly rows: number; readonly cols: number; readonly attributes: typeof GRID_ATTRIBUTES };
}

/**
 * The labels of the vision corpus.
 *
 * @param gridSide cells per row and per column
 */
export function visionLabels(records: readonly SceneRecord[], gridSide: number): VisionLabels {
  const annotations = records
    .flatMap(({ id, objects }) => {
      const names = objects.flatMap(({ size, colour, shape }) => [
        `${colour} ${shape}`,
        `${size} ${colour}`,
        `${size} ${shape}`,
      ]);
      const categoryIds = [...new Set(names)].map((name) => CATEGORY_ID.get(name) as number).sort((a, b) => a - b);
      return categoryIds.map((categoryId) => ({ image_id: id, category_id: categoryId }));
    })
    .map((annotation, i) => ({ id: i + 1, ...annotation }));
  return {
    images: records.map((record) => ({
      id: record.id,
      file_name: record.fileName,
      width: record.imageSize,
      height: record.imageSize,
      cells: gridCells(record, gridSide),
    })),
    categories: CATEGORIES,
    annotations,
    grid: { rows: gridSide, cols: gridSide, attributes: GRID_ATTRIBUTES },
  };
}
