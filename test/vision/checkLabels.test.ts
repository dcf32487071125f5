import { describe, expect, it } from 'vitest';
import { checkLabels } from '../../vision/checkLabels.js';
import type { LabelCounts } from '../../vision/data/labelCounts.js';
import { userErrorLine } from '../support/thrown.js';

const classify = { kind: 'classify', weight: 1 } as const;
const attributes = { kind: 'attributes', scope: 'image', weight: 1 } as const;
const cells = { kind: 'attributes', scope: 'grid', weight: 1 } as const;

const dataset = (counts: LabelCounts) => ({
  size: 4,
  classNames: ['cat', 'dog'],
  attributeNames: ['red', 'round', 'shiny'],
  grid: { rows: 1, cols: 2, attributes: ['colour', 'shape'].map((name) => ({ name, values: ['none', 'a', 'b'] })) },
  labelCounts: () => counts,
});

describe('checkLabels', () => {
  it('takes labels that differ between images, and objectives without labels', () => {
    const counts = {
      classes: [1, 3],
      attributes: [1, 2, 3],
      cells: [
        [4, 2, 2],
        [7, 1, 0],
      ],
    };
    expect(checkLabels([classify, attributes, cells], dataset(counts))).toEqual([]);
    const masked = { kind: 'maskedPatches' } as Parameters<typeof checkLabels>[0][number];
    expect(checkLabels([masked], dataset({ classes: [4, 0] }))).toEqual([]);
  });

  it('refuses one class', () => {
    expect(userErrorLine(() => checkLabels([classify], dataset({ classes: [0, 4] })))).toContain(
      "expected training images of at least 2 classes, got only 'dog'",
    );
  });

  it('refuses attributes that all images or none have, and warns of some', () => {
    expect(userErrorLine(() => checkLabels([attributes], dataset({ attributes: [0, 4, 0] })))).toContain(
      'the same labels for all 4 training images',
    );
    expect(checkLabels([attributes], dataset({ attributes: [0, 2, 4] }))).toEqual([
      "warning: the same label for all 4 training images, so nothing is learned of: 'red', 'shiny'",
    ]);
  });

  it('refuses a grid of one value, and warns of one attribute of it', () => {
    const same = [0, 8, 0];
    expect(userErrorLine(() => checkLabels([cells], dataset({ cells: [same, same] })))).toContain('in every cell');
    expect(checkLabels([cells], dataset({ cells: [same, [1, 7, 0]] }))).toEqual([
      "warning: the same label in every cell of the training images, so nothing is learned of: 'colour'",
    ]);
  });
});
