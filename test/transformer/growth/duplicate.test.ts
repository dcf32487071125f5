import { describe, expect, it } from 'vitest';
import { languageStreamRole } from '#language';
import { tf } from '#src/engine';
import type { HostTensor } from '#src/storage';
import { ParameterTree } from '#src/tokenformer';
import {
  duplicateHidden,
  duplicateWidth,
  growMoments,
  growParameters,
  type TransformerConfig,
  type TransformerGrowth,
} from '#src/transformer';
import { type AnyVisionConfig, createVisionParameters, visionForward, visionStreamRole } from '#vision';
import { describeEachEngine } from '../../engine/eachEngine.js';
import { relativeError } from '../../support/closeness.js';
import { userErrorLine } from '../../support/thrown.js';
import { tinyLosses, tinyTransformerConfig, tinyTransformerTensors } from '../../support/tinyTransformer.js';
import { objectiveOn, squares } from '../../support/tinyVisionModel.js';

const silent = { noise: 0, seed: 1 };

/** Ways to grow a language model, and what they do to it. */
const GROWTHS: readonly [name: string, grow: (config: TransformerConfig, noise: number) => TransformerGrowth][] = [
  ['twice the width', (config, noise) => duplicateWidth(config, 'language', 2, languageStreamRole, { noise, seed: 1 })],
  [
    '3 times the width',
    (config, noise) => duplicateWidth(config, 'language', 3, languageStreamRole, { noise, seed: 1 }),
  ],
  ['12 to 24 hidden units', (config, noise) => duplicateHidden(config, 'language', 24, { noise, seed: 1 })],
  ['12 to 31 hidden units', (config, noise) => duplicateHidden(config, 'language', 31, { noise, seed: 1 })],
];

const squared = (tensors: ReadonlyMap<string, HostTensor>): Map<string, HostTensor> =>
  new Map([...tensors].map(([name, { shape, values }]) => [name, { shape, values: values.map((v) => v * v) }]));

const asMoments = (tensors: ReadonlyMap<string, HostTensor>, suffix: string): Map<string, HostTensor> =>
  new Map([...tensors].map(([name, tensor]) => [`${name}/${suffix}`, tensor]));

describeEachEngine('Net2Net', () => {
  it.each(GROWTHS)('keeps the function to rounding, with and without noise: %s', (_, grow) => {
    const config = tinyTransformerConfig();
    const tensors = tinyTransformerTensors(config);
    const { losses } = tinyLosses(tensors, config);
    for (const noise of [0, 0.3]) {
      const growth = grow(config.stack, noise);
      const larger = tinyLosses(growParameters(growth, tensors), { ...config, stack: growth.config });
      // Measured 9e-7 at most.
      expect(relativeError(larger.losses, losses)).toBeLessThan(5e-6);
    }
  });

  it.each(GROWTHS)('gives moments the factors that its gradients have: %s', (_, grow) => {
    const config = tinyTransformerConfig();
    const tensors = tinyTransformerTensors(config);
    const growth = grow(config.stack, 0);
    const { gradients } = tinyLosses(tensors, config);
    const larger = tinyLosses(growParameters(growth, tensors), { ...config, stack: growth.config }).gradients;
    const first = growMoments(growth, asMoments(gradients, 'adamM'));
    const second = growMoments(growth, asMoments(squared(gradients), 'adamV'));
    expect([...first.keys()].sort()).toEqual([...larger.keys()].map((name) => `${name}/adamM`).sort());
    for (const [name, { shape, values }] of larger) {
      expect(first.get(`${name}/adamM`)!.shape, name).toEqual(shape);
      // Measured 2e-6 at most.
      expect(relativeError(first.get(`${name}/adamM`)!.values, values), name).toBeLessThan(2e-5);
      expect(
        relativeError(
          second.get(`${name}/adamV`)!.values,
          values.map((value) => value * value),
        ),
        name,
      ).toBeLessThan(5e-5);
    }
  });

  it('leaves copies with equal gradients unless there is noise', () => {
    const config = tinyTransformerConfig();
    const tensors = tinyTransformerTensors(config);
    const apart = (noise: number): number => {
      const growth = duplicateHidden(config.stack, 'language', 24, { noise, seed: 1 });
      const { gradients } = tinyLosses(growParameters(growth, tensors), { ...config, stack: growth.config });
      const { values } = gradients.get('block0/mlp/language/up')!;
      return relativeError(values.slice(0, 12 * 8), values.slice(12 * 8));
    };
    expect(apart(0)).toBe(0);
    expect(apart(0.1)).toBeGreaterThan(0.01);
  });

  it.each(['mean', 'classToken'] as const)(
    'keeps what a vision model with %s pooling loses on its objectives',
    (pooling) => {
      const small = tinyTransformerConfig({ rotaryShare: 0 }).stack;
      const vision = (stack: TransformerConfig): AnyVisionConfig => ({ imageSize: 8, patchSize: 2, pooling, stack });
      for (const objective of [
        { kind: 'classify' },
        { kind: 'attributes', scope: 'grid' },
        { kind: 'maskedPatches', decoderModel: 8, decoderHeads: 2 },
      ]) {
        const lossOf = (config: AnyVisionConfig, tensors: ReadonlyMap<string, HostTensor>): Float32Array => {
          const { objective: made, inputOf, tree: unused } = objectiveOn(config, objective);
          unused.dispose();
          const tree = new ParameterTree(tensors);
          const losses = tf.tidy(() => {
            const input = inputOf(squares(5));
            const states = () => visionForward(tree, config, input.pixelValues);
            return Float32Array.from(made.loss({ ...input, tree, states }).dataSync());
          });
          tree.dispose();
          return losses;
        };
        const before = vision(small);
        const tensors = new Map(
          [...createVisionParameters(before, 2), ...objectiveOn(before, objective).objective.createParameters(2)].map(
            ([name, { shape, values }]) => [name, { shape, values: values.map((v) => 5 * v) }],
          ),
        );
        const growth = duplicateWidth(small, 'vision', 2, visionStreamRole, { noise: 0.2, seed: 1 });
        const grown = lossOf(vision(growth.config), growParameters(growth, tensors));
        const loss = lossOf(before, tensors);
        expect(loss[0]).toBeGreaterThan(0);
        // Measured 2e-7.
        expect(relativeError(grown, loss), objective.kind).toBeLessThan(5e-6);
      }
    },
  );
});

describe('Net2Net', () => {
  it('refuses what it cannot copy', () => {
    const { stack } = tinyTransformerConfig();
    expect(userErrorLine(() => duplicateWidth(stack, 'language', 1.5, languageStreamRole, silent))).toBe(
      'net2net: expected a whole factor of at least 2 for the width, got 1.5: features are copied whole',
    );
    expect(userErrorLine(() => duplicateHidden(stack, 'language', 12, silent))).toBe(
      'net2net: expected more than 12 hidden units, got 12',
    );
  });
});
