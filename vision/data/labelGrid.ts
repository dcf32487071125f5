import { z } from 'zod';
import { describeValue } from '#src/config';
import { UserError } from '#src/errors';
import type { LabelGrid } from './labelledImages.js';

/** The label grid and the values of its attributes. */
export const LabelGridConfig = z.object({
  rows: z.int().positive().describe('cells from top to bottom'),
  cols: z.int().positive().describe('cells from left to right'),
  attributes: z
    .array(
      z.object({
        name: z.string().min(1).describe('name of the attribute, such as colour'),
        values: z.array(z.string()).min(2).describe('names of its values, of which the first means: nothing here'),
      }),
    )
    .min(1)
    .describe('the attributes of a cell, in the order of its numbers'),
});

/** Cells of a data set, in numbers, that fit into memory. */
const MAX_LABELS = 2 ** 28;

/** Room for the labels of all images, [images, rows, cols, attributes]. @throws UserError when there are too many */
export function createCells(numImages: number, { rows, cols, attributes }: LabelGrid, where: string): Int32Array {
  const perImage = rows * cols * attributes.length;
  if (numImages * perImage > MAX_LABELS) {
    const product = `${rows} rows × ${cols} cols × ${attributes.length} attributes × ${numImages} images`;
    throw new UserError(`${where}: expected at most ${MAX_LABELS} labels, got ${product}`);
  }
  return new Int32Array(numImages * perImage);
}

/**
 * The labels of one image's cells, [rows, cols, attributes].
 *
 * @param where file, entry and field, for the error message
 * @throws UserError for a wrong number of labels, or a label that is not a value of its attribute
 */
export function checkedCells(values: unknown, { rows, cols, attributes }: LabelGrid, where: string): number[] {
  const count = rows * cols * attributes.length;
  if (!Array.isArray(values) || values.length !== count) {
    const got = Array.isArray(values) ? `${values.length}` : describeValue(values);
    const product = `${rows} rows × ${cols} cols × ${attributes.length} attributes`;
    throw new UserError(`${where}: expected ${count} integers (${product}), got ${got}`);
  }
  for (const [j, value] of values.entries()) {
    const attribute = attributes[j % attributes.length];
    if (!Number.isInteger(value) || value < 0 || value >= attribute.values.length) {
      const range = `0..${attribute.values.length - 1}`;
      throw new UserError(
        `${where}[${j}]: expected a value of '${attribute.name}' in ${range}, got ${describeValue(value)}`,
      );
    }
  }
  return values;
}
