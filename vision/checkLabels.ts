import { UserError } from '#src/errors';
import type { ImageDataset } from './data/index.js';
import type { ObjectiveConfig } from './objectives/index.js';

/** Labels that a warning names. */
const SHOWN = 5;

/**
 * Checks that the labels of training images differ: what is the same for all of them teaches nothing.
 *
 * @returns a line for each objective that learns nothing from some of its labels
 * @throws UserError when an objective learns nothing at all
 */
export function checkLabels(
  objectives: readonly ObjectiveConfig[],
  train: Pick<ImageDataset, 'size' | 'classNames' | 'attributeNames' | 'grid' | 'labelCounts'>,
): string[] {
  const { size, classNames = [], attributeNames = [], grid } = train;
  const { classes, attributes, cells } = train.labelCounts();
  return objectives.flatMap((objective) => {
    if (objective.kind === 'classify' && classes !== undefined) {
      const present = classNames.filter((_, i) => classes[i] > 0);
      if (present.length > 1) return [];
      throw new UserError(
        `data.train: classify: expected training images of at least 2 classes, got only '${present[0]}'; there is nothing to learn`,
      );
    }
    if (objective.kind !== 'attributes') return [];
    if (objective.scope === 'image') {
      if (attributes === undefined) return [];
      const constant = attributeNames.filter((_, i) => attributes[i] === 0 || attributes[i] === size);
      return constantLabels(constant, attributeNames, `for all ${size} training images`);
    }
    if (cells === undefined || grid === undefined) return [];
    const names = grid.attributes.map(({ name }) => name);
    const constant = names.filter((_, i) => cells[i].filter((count) => count > 0).length < 2);
    return constantLabels(constant, names, 'in every cell of the training images');
  });
}

function constantLabels(constant: readonly string[], all: readonly string[], where: string): string[] {
  if (constant.length === 0) return [];
  if (constant.length === all.length) {
    throw new UserError(
      `data.train: attributes: expected one that differs between images, got the same labels ${where}; there is nothing to learn`,
    );
  }
  const more = constant.length > SHOWN ? ` and ${constant.length - SHOWN} more` : '';
  const named = constant.slice(0, SHOWN).map((name) => `'${name}'`);
  return [`warning: the same label ${where}, so nothing is learned of: ${named.join(', ')}${more}`];
}
