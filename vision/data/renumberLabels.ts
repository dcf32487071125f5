import { didYouMean, UserError } from '#src/errors';
import type { LabelledImages, LabelNames } from './labelledImages.js';

/**
 * Re-indexes the labels of `source` to match the same names in `like`.
 *
 * @throws UserError for a class or category that `like` does not have, or a different grid
 */
export function renumberLabels(source: LabelledImages, like: LabelNames | undefined, what: string): LabelledImages {
  if (like === undefined) return source;
  const position = (name: string, names: readonly string[], kind: string): number => {
    const index = names.indexOf(name);
    if (index >= 0) return index;
    throw new UserError(`${what}: ${kind} '${name}' is not in the training data${didYouMean(name, names)}`);
  };
  const { classNames, labels, attributeNames, attributes, grid } = source;
  const renumbered: { -readonly [K in keyof LabelledImages]: LabelledImages[K] } = { ...source };
  if (classNames && labels && like.classNames) {
    const expected = like.classNames;
    const to = classNames.map((name) => position(name, expected, 'class'));
    renumbered.classNames = expected;
    renumbered.labels = labels.map((label) => to[label]);
  }
  if (attributeNames && attributes && like.attributeNames) {
    const expected = like.attributeNames;
    const to = attributeNames.map((name) => position(name, expected, 'category'));
    renumbered.attributeNames = expected;
    renumbered.attributes = new Uint8Array(source.entries.length * expected.length);
    for (const [i, value] of attributes.entries()) {
      const entry = Math.floor(i / to.length);
      if (value === 1) renumbered.attributes[entry * expected.length + to[i % to.length]] = 1;
    }
  }
  if (grid && like.grid && JSON.stringify(grid) !== JSON.stringify(like.grid)) {
    throw new UserError(
      `${what}: grid: expected the rows, cols and attributes of the training data, got different ones`,
    );
  }
  return renumbered;
}
