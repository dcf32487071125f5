/**
 * @file COCO-style JSON: `images`, `categories`, `annotations` (https://cocodataset.org/#format-data), read as labels of
 * whole images; and this project's extension for labels on a grid, a top-level `grid` and `cells` in every image.
 */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { describeValue, parseFile } from '#src/config';
import { imagePath } from '#src/data';
import { printable, UserError } from '#src/errors';
import { readJson } from '#src/storage';
import { assertFolder } from './imageFolder.js';
import { checkedCells, createCells, LabelGridConfig } from './labelGrid.js';
import type { ImageEntry, LabelledImages, LabelRequirement } from './labelledImages.js';

const Id = z.union([z.int(), z.string()], 'an integer or text');
const Image = z.object({ id: Id, file_name: z.string().min(1), cells: z.unknown().optional() });
const Categories = z.array(z.object({ id: Id, name: z.string().min(1) })).min(1);
const Annotations = z.array(z.object({ image_id: Id, category_id: Id.optional(), caption: z.unknown().optional() }));

/**
 * The images of a COCO-style file with the labels that `requirement` asks for: `attributes` gives a 0/1 vector per
 * image with one entry per category in file order, `grid` gives cells, plus attributes if there are categories. Captions,
 * boxes and all other fields are ignored.
 *
 * @param imageFolder default: the `images` folder next to the file if there is one, else the file's own folder
 * @throws UserError naming file, entry and field
 */
export function readCocoFile(
  path: string,
  imageFolder: string | undefined,
  requirement: Exclude<LabelRequirement, 'class'>,
): LabelledImages {
  const raw = readJson(path, 'annotations');
  const json = parseFile(z.record(z.string(), z.unknown()), raw, path);
  const images = parseFile(z.array(Image), json.images, path, ['images']);
  if (images.length === 0) throw new UserError(`empty dataset: ${path} lists no images`);

  const folder = imageFolder ?? besideImages(path);
  assertFolder(folder);
  const entries: ImageEntry[] = images.map(({ file_name: key }, i) => ({
    path: resolve(imagePath(folder, key, `${path}: images[${i}].file_name`)),
    key,
  }));

  const imageIndex = uniqueIndex(images, 'id', `${path}: images`);
  if (requirement === 'none') return { entries };
  const hasCategories = Array.isArray(json.categories) && json.categories.length > 0;
  const attributes = requirement === 'attributes' || hasCategories ? readAttributes(path, json, imageIndex) : {};
  if (requirement === 'attributes' && !attributes.attributes?.includes(1)) throw noLabels(path, json);
  return { entries, ...attributes, ...(requirement === 'grid' ? readGrid(path, json.grid, images) : {}) };
}

/** The image folder of a file that names images: `images` next to it, otherwise its own folder. */
export function besideImages(path: string): string {
  const beside = join(dirname(path), 'images');
  return existsSync(beside) ? beside : dirname(path);
}

/** Categories and the images they were annotated in, as [images, categories] of 0 and 1. */
function readAttributes(
  path: string,
  { categories: rawCategories, annotations: rawAnnotations }: Readonly<Record<string, unknown>>,
  imageIndex: ReadonlyMap<string | number, number>,
): Pick<LabelledImages, 'attributeNames' | 'attributes'> {
  const categories = parseFile(Categories, rawCategories, path, ['categories']);
  uniqueIndex(categories, 'name', `${path}: categories`);
  const categoryIndex = uniqueIndex(categories, 'id', `${path}: categories`);
  const attributes = new Uint8Array(imageIndex.size * categories.length);
  for (const [i, annotation] of parseFile(Annotations, rawAnnotations ?? [], path, ['annotations']).entries()) {
    const { image_id: imageId, category_id: categoryId } = annotation;
    const where = `${path}: annotations[${i}]`;
    const image = imageIndex.get(imageId);
    if (image === undefined)
      throw new UserError(`${where}.image_id: expected the id of an image, got ${describeValue(imageId)}`);
    if (categoryId === undefined) {
      if (annotation.caption !== undefined) continue;
      throw new UserError(`${where}.category_id: expected the id of a category, got nothing`);
    }
    const category = categoryIndex.get(categoryId);
    if (category === undefined) {
      throw new UserError(
        `${where}.category_id: expected the id of an entry of categories, got ${describeValue(categoryId)}`,
      );
    }
    attributes[image * categories.length + category] = 1;
  }
  return { attributeNames: categories.map((category) => category.name), attributes };
}

/** Fields of an image that COCO names, none of which is a label. */
const IMAGE_FIELDS: readonly string[] = [
  ...['id', 'file_name', 'cells', 'width', 'height', 'license', 'coco_url', 'flickr_url', 'date_captured'],
];

/** The error for a file that labels no image, with what else its images hold. */
function noLabels(path: string, { images }: Readonly<Record<string, unknown>>): UserError {
  const others = new Set((images as object[]).flatMap((image) => Object.keys(image)));
  const unread = [...others].filter((key) => !IMAGE_FIELDS.includes(key)).slice(0, 3);
  const hint =
    unread.length === 0 ? '' : `; ${unread.map((key) => `images[].${printable(key)}`).join(', ')} is not read`;
  return new UserError(
    `${path}: annotations: expected entries with image_id and category_id, which label the images, got none${hint}`,
  );
}

/** The grid and every image's cells, as [images, rows, cols, attributes]. */
function readGrid(
  path: string,
  rawGrid: unknown,
  images: readonly z.output<typeof Image>[],
): Pick<LabelledImages, 'grid' | 'cells'> {
  const grid = parseFile(LabelGridConfig, rawGrid, path, ['grid']);
  const cellsPerImage = grid.rows * grid.cols * grid.attributes.length;
  const cells = createCells(images.length, grid, `${path}: grid`);
  for (const [i, image] of images.entries()) {
    cells.set(checkedCells(image.cells, grid, `${path}: images[${i}].cells`), i * cellsPerImage);
  }
  return { grid, cells };
}

/** Position by `field`, which must be unique. */
function uniqueIndex<Field extends string, Value extends string | number>(
  items: readonly Readonly<Record<Field, Value>>[],
  field: Field,
  where: string,
): Map<Value, number> {
  const index = new Map<Value, number>();
  for (const [i, item] of items.entries()) {
    const first = index.get(item[field]);
    if (first !== undefined) {
      throw new UserError(
        `${where}[${i}].${field}: expected a unique value, got ${describeValue(item[field])}, as in [${first}]`,
      );
    }
    index.set(item[field], i);
  }
  return index;
}
