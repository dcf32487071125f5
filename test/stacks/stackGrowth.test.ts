import { beforeAll, describe, expect, it } from 'vitest';
import { createLanguageParameters, LANGUAGE_STACK } from '#language';
import { selectEngine } from '#src/engine';
import { GrowthConfig, type StackConfig, stackGrowth, stackSizes } from '#src/stacks';
import type { TransformerConfig } from '#src/transformer';
import { relativeError } from '../support/closeness.js';
import { userErrorLine } from '../support/thrown.js';
import { tinyLanguageConfig } from '../support/tinyLanguageModel.js';
import { tinyLosses, tinyTransformerConfig, tinyTransformerTensors } from '../support/tinyTransformer.js';

beforeAll(async () => {
  await selectEngine('wasm');
});

const small = tinyTransformerConfig();
const trained = tinyTransformerTensors(small);

function grow(given: object) {
  const growth = stackGrowth(small.stack, GrowthConfig.parse(given), LANGUAGE_STACK, 7);
  const config = { ...small, stack: growth.config as TransformerConfig };
  const fresh = createLanguageParameters(config, 9);
  return { growth, config, fresh, tensors: growth.parameters(trained, fresh) };
}

const GROWTHS = [
  [
    { policy: 'net2net', factor: 2 },
    { dModel: 16, numHeads: 4, mlpHidden: 24 },
  ],
  [
    { policy: 'net2net', hidden: 19 },
    { dModel: 8, numHeads: 2, mlpHidden: 19 },
  ],
  [
    { policy: 'eq13', factor: 1.5 },
    { dModel: 12, numHeads: 3, mlpHidden: 18 },
  ],
  [
    { policy: 'eq13', hidden: 30 },
    { dModel: 8, numHeads: 2, mlpHidden: 30 },
  ],
  [
    { policy: 'stack', factor: 2 },
    { numLayers: 4, dModel: 8 },
  ],
] as const;

describe('a standard Transformer', () => {
  it.each(GROWTHS)('grown by %o has the parameters of a model of its new size', (given, sizes) => {
    const { config, fresh, tensors } = grow(given);
    expect(config.stack).toMatchObject(sizes);
    const shapes = (of: typeof fresh) => [...of].map(([name, { shape }]) => [name, shape]);
    expect(shapes(tensors)).toEqual(shapes(fresh));
    expect(Number.isFinite(tinyLosses(tensors, config).losses[0])).toBe(true);
  });

  it.each(GROWTHS)('grown by %o has moments of these shapes', (given) => {
    const { growth, fresh, tensors } = grow(given);
    const moments = new Map([...trained].map(([name, tensor]) => [`${name}/adamV`, tensor]));
    for (const [key, { shape }] of growth.moments(moments, fresh))
      expect(shape, key).toEqual(tensors.get(key.replace('/adamV', ''))?.shape);
  });

  it.each([GROWTHS[0][0], GROWTHS[1][0]])('keeps its function under %o, with copies that can learn apart', (given) => {
    const { config, tensors } = grow(given);
    const before = tinyLosses(trained, small).losses;
    const { losses, gradients } = tinyLosses(tensors, config);
    expect(relativeError(losses, before)).toBeLessThan(2e-6); // 3e-7 measured
    const { values, shape } = gradients.get('block0/mlp/language/up')!;
    const copy = small.stack.mlpHidden! * shape[1];
    expect(values.slice(copy, copy + shape[1])).not.toEqual(values.slice(0, shape[1]));
  });

  it('leaves copies equal without noise', () => {
    const { config, tensors } = grow({ policy: 'net2net', hidden: 24, noise: 0 });
    const { values, shape } = tinyLosses(tensors, config).gradients.get('block0/mlp/language/up')!;
    expect(values.slice(12 * shape[1])).toEqual(values.slice(0, 12 * shape[1]));
  });
});

describe('what cannot be had', () => {
  const sizes = (stack: StackConfig, given: object): string =>
    userErrorLine(() => stackSizes(stack, [GrowthConfig.parse(given)]));

  it('is a policy for the other kind of stack', () => {
    expect(sizes(small.stack, { factor: 2 })).toBe(
      'training.stages[0]: policy: expected net2net, eq13, stack for a standard Transformer, which has no parameter tokens, got preserve',
    );
    expect(sizes(tinyLanguageConfig.stack, { policy: 'stack', factor: 2 })).toBe(
      'training.stages[0]: policy: expected preserve, official, group for a TokenFormer, got stack, which is for a standard Transformer',
    );
  });

  it('is a size that does not fit', () => {
    expect(sizes(small.stack, { policy: 'net2net', factor: 1.5 })).toContain('expected a whole factor of at least 2');
    expect(sizes(small.stack, { policy: 'net2net', hidden: 12 })).toContain('more than 12 hidden units, got 12');
    expect(sizes(small.stack, { policy: 'eq13', factor: 1.25 })).toContain('whole features, heads and hidden units');
    expect(sizes(small.stack, { policy: 'stack', factor: 1.5 })).toContain('expected a whole factor');
  });

  it('is a size that the policy does not take', () => {
    const problem = (given: object): string => GrowthConfig.safeParse(given).error?.issues[0].message ?? '';
    expect(problem({ policy: 'stack', layers: 2 })).toBe('policy stack takes factor, got layers');
    expect(problem({ policy: 'net2net', tokens: { ffn: 4 } })).toBe('policy net2net takes factor, hidden, got tokens');
    expect(problem({ policy: 'stack' })).toBe('expected factor, got none');
    expect(problem({ policy: 'eq13' })).toBe('expected factor or hidden, got none of them');
    expect(problem({})).toBe('expected factor, tokens or layers, got none of them');
    expect(problem({ policy: 'eq13', factor: 2, hidden: 3 })).toBe('expected factor or hidden, got both');
    expect(problem({ factor: 2, noise: 0.1 })).toBe('has no effect: expected policy net2net with it');
  });
});
