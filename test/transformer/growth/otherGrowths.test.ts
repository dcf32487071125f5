import { beforeAll, describe, expect, it } from 'vitest';
import { createLanguageParameters } from '#language';
import { selectEngine, tf } from '#src/engine';
import { openStack } from '#src/stacks';
import { ParameterTree } from '#src/tokenformer';
import { growMoments, growParameters, placeTopLeft, stackLayers } from '#src/transformer';
import { relativeError } from '../../support/closeness.js';
import { randomValues } from '../../support/randomValues.js';
import { userErrorLine } from '../../support/thrown.js';
import { tinyLosses, tinyTransformerConfig, tinyTransformerTensors } from '../../support/tinyTransformer.js';

beforeAll(async () => {
  await selectEngine('wasm');
});

const small = tinyTransformerConfig();
const tensors = tinyTransformerTensors(small);
const moments = new Map(
  [...tensors].map(
    ([name, { shape }]) =>
      [
        `${name}/adamV`,
        { shape, values: Float32Array.from({ length: shape.reduce((p, n) => p * n, 1) }, (_, i) => i + 1) },
      ] as const,
  ),
);

describe('eq. 13', () => {
  const large = tinyTransformerConfig({ dModel: 12, numHeads: 3, mlpHidden: 20 });
  const fresh = createLanguageParameters(large, 9);

  it.each(['zeros', 'new'] as const)('puts old matrices in the top left, with %s elsewhere', (elsewhere) => {
    const grown = growParameters(placeTopLeft(small.stack, large.stack, fresh, elsewhere), tensors);
    expect([...grown.keys()]).toEqual([...fresh.keys()]);
    for (const [name, { shape, values }] of grown) {
      const [old, drawn] = [tensors.get(name)!, fresh.get(name)!];
      const [oldRows, rows] = [old, drawn].map((tensor) => (tensor.shape.length === 1 ? 1 : tensor.shape[0]));
      const [oldColumns, columns] = [old, drawn].map((tensor) => tensor.shape.at(-1)!);
      expect(shape).toEqual(drawn.shape);
      const newValues = Float32Array.from(drawn.values);
      const expected = Float32Array.from({ length: rows * columns }, (_, i) => {
        const [row, column] = [Math.floor(i / columns), i % columns];
        if (row < oldRows && column < oldColumns) return old.values[row * oldColumns + column];
        return elsewhere === 'new' || name.includes('finalNorm') ? newValues[i] : 0;
      });
      expect(values).toEqual(expected);
    }
    // Not even zeros keep the function, since LN counts the new features.
    const [before, after] = [tinyLosses(tensors, small).losses, tinyLosses(grown, large).losses];
    expect(relativeError(after, before)).toBeGreaterThan(0.01);
  });

  it('has no moments where it is new', () => {
    const grown = growMoments(placeTopLeft(small.stack, large.stack, fresh, 'new'), moments);
    const { shape, values } = grown.get('language/finalNorm/scale/adamV')!;
    expect([shape, [...values]]).toEqual([[12], [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0]]);
    expect([...grown.get('block1/mlp/language/up/adamV')!.values.slice(0, 13)]).toEqual([
      ...[1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0],
      9,
    ]);
  });

  it('refuses other depths and heads, and what does not fit', () => {
    const to = (given: object): string => {
      const after = tinyTransformerConfig(given);
      const created = createLanguageParameters(after, 1);
      return userErrorLine(() => growParameters(placeTopLeft(small.stack, after.stack, created, 'new'), tensors));
    };
    expect(to({ numLayers: 3 })).toBe('eq13: expected numLayers 2, as before, got 3');
    expect(to({ dModel: 16, numHeads: 2 })).toContain('expected heads of 4 features, as before, got 8');
    expect(to({ mlpHidden: 11 })).toBe("eq13: 'block0/mlp/language/up': expected room for [12,8], got [11,8]");
  });
});

describe('stacking', () => {
  it('runs the blocks once more on top of themselves, to the bit', () => {
    const growth = stackLayers(small.stack, 'language', 2);
    const grown = growParameters(growth, tensors);
    expect([...grown.keys()].sort()).toEqual(
      [...createLanguageParameters({ ...small, stack: growth.config }, 1).keys()].sort(),
    );
    tf.tidy(() => {
      const x = tf.tensor3d(randomValues(2 * 5 * 8, 'stacking'), [2, 5, 8]);
      const mask = { kind: 'causal' } as const;
      const [once, twice] = [tensors, grown].map((of) => new ParameterTree(of));
      const run = openStack(once, small.stack, 'language');
      const expected = run(run(x, { mask }).hidden, { mask }).hidden.dataSync();
      expect(openStack(twice, growth.config, 'language')(x, { mask }).hidden.dataSync()).toEqual(expected);
      for (const tree of [once, twice]) tree.dispose();
    });
  });

  it('takes the moments of each block along', () => {
    const grown = growMoments(stackLayers(small.stack, 'language', 3), moments);
    for (const l of [1, 3, 5]) {
      expect(grown.get(`block${l}/mlp/language/down/adamV`)).toBe(moments.get('block1/mlp/language/down/adamV'));
    }
    expect(grown.size).toBe(3 * 6 * 2 + 3);
  });

  it('refuses part of a stack', () => {
    expect(userErrorLine(() => stackLayers(small.stack, 'language', 1))).toBe(
      'stack: expected a whole factor of at least 2 for the depth, got 1',
    );
  });
});
