import { createRandom } from '#src/random';
import type { DrawnPicture } from './picture.js';

/** A category that fewer training pictures have teaches nothing. */
const MIN_PICTURES = 20;

/** The pictures of a set in an order drawn by the seed, so that the first n are a sample of all. */
export function inDrawnOrder(pictures: readonly DrawnPicture[], set: string, seed: number): DrawnPicture[] {
  return createRandom(seed, 'order', set).shuffled([...pictures]);
}

/**
 * A set in the COCO captions layout (https://cocodataset.org/#format-data).
 *
 * @param idOf ids that are unique over all sets
 */
export function captionsJson(
  pictures: readonly DrawnPicture[],
  idOf: (picture: DrawnPicture) => number,
  description: string,
): object {
  let id = 0;
  return {
    info: { description },
    licenses: [],
    images: pictures.map((picture) => ({ id: idOf(picture), file_name: `${picture.name}.png` })),
    annotations: pictures.flatMap((picture) =>
      picture.captions.map((caption) => ({ id: ++id, image_id: idOf(picture), caption })),
    ),
  };
}

/** The labels that enough training pictures have, by name. */
export function categoriesOf(training: readonly DrawnPicture[]): string[] {
  const counts = new Map<string, number>();
  for (const label of training.flatMap(({ labels }) => labels)) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts].flatMap(([label, count]) => (count < MIN_PICTURES ? [] : [label])).sort();
}

/** A set with its labels as COCO categories, for vision's objective `attributes`. */
export function labelsJson(
  pictures: readonly DrawnPicture[],
  categories: readonly string[],
  idOf: (picture: DrawnPicture) => number,
): object {
  let id = 0;
  return {
    images: pictures.map((picture) => ({ id: idOf(picture), file_name: `${picture.name}.png` })),
    categories: categories.map((name, i) => ({ id: i + 1, name })),
    annotations: pictures.flatMap((picture) =>
      picture.labels.flatMap((label) => {
        const category = categories.indexOf(label);
        return category < 0 ? [] : [{ id: ++id, image_id: idOf(picture), category_id: category + 1 }];
      }),
    ),
  };
}
