import type { LabelledImages } from './labelledImages.js';

/** How often each label occurs in a list of images; what the images do not have is absent. */
export interface LabelCounts {
  /** Images of each class. */
  readonly classes?: readonly number[];
  /** Images that have each attribute. */
  readonly attributes?: readonly number[];
  /** By attribute of the grid: cells that hold each of its values. */
  readonly cells?: readonly (readonly number[])[];
}

/** Counts the labels of the images at `indices`. */
export function countLabels(source: LabelledImages, indices: readonly number[]): LabelCounts {
  const { labels, classNames, attributes, attributeNames, cells, grid } = source;
  const counts: { -readonly [K in keyof LabelCounts]: LabelCounts[K] } = {};
  if (labels && classNames) {
    const classes = classNames.map(() => 0);
    for (const image of indices) classes[labels[image]]++;
    counts.classes = classes;
  }
  if (attributes && attributeNames) {
    const width = attributeNames.length;
    const present = attributeNames.map(() => 0);
    for (const image of indices) {
      for (let a = 0; a < width; a++) present[a] += attributes[image * width + a];
    }
    counts.attributes = present;
  }
  if (cells && grid) {
    const width = grid.attributes.length;
    const perImage = grid.rows * grid.cols * width;
    const values = grid.attributes.map((attribute) => attribute.values.map(() => 0));
    for (const image of indices) {
      for (let i = 0; i < perImage; i++) values[i % width][cells[image * perImage + i]]++;
    }
    counts.cells = values;
  }
  return counts;
}
