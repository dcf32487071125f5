import { expect, it } from 'vitest';
import {
  createLanguageParameters,
  LANGUAGE_GROUP,
  type LanguageConfig,
  languageHidden,
  summedTokenLoss,
} from '#language';
import { selectEngine, tf } from '#src/engine';
import type { HostTensor } from '#src/storage';
import {
  grownStack,
  growParameters,
  growthProblems,
  ParameterTree,
  stackBlocks,
  type TokenFormerConfig,
  type TokenFormerGrowth,
} from '#src/tokenformer';
import { native } from '../../src/engine/native/index.js';
import { fusedBlock } from '../../src/tokenformer/fusedBlock.js';
import { describeEachEngine } from '../engine/eachEngine.js';
import { tinyLanguageConfig, tinyLogits } from '../support/tinyLanguageModel.js';

const SEQUENCES = [
  [1, 4, 2, 9, 3, 3, 0, 7],
  [5, 5, 1, 0, 2, 8, 10, 6],
];

/** The stacks that a model grows through: as it starts, then after each growth. */
function sizesOf(config: TokenFormerConfig, growths: readonly TokenFormerGrowth[]): TokenFormerConfig[] {
  const sizes = [config];
  for (const growth of growths) sizes.push(grownStack(sizes[sizes.length - 1], growth));
  return sizes;
}

/** Parameters as after training: larger than at the start, and τ that no rule gives. */
function trainedTensors(config: LanguageConfig): Map<string, HostTensor> {
  const tensors = createLanguageParameters(config, 3);
  for (const [name, { shape, values }] of tensors) {
    const scale = name.endsWith('/tau') ? 1.25 : /(tokenEmbedding|ParamTokens)$/.test(name) ? 20 : 1;
    tensors.set(name, { shape, values: Float32Array.from(values, (value) => value * scale) });
  }
  return tensors;
}

function withStack(stack: Partial<TokenFormerConfig>): LanguageConfig {
  return { ...tinyLanguageConfig, stack: { ...tinyLanguageConfig.stack, ...stack } };
}

function grow(config: LanguageConfig, growth: TokenFormerGrowth) {
  const trained = trainedTensors(config);
  const stack = grownStack(config.stack, growth);
  const grown = { ...config, stack };
  const policy = growth.policy === 'official' ? 'official' : 'preserve';
  const tensors = growParameters(trained, createLanguageParameters(grown, 77), LANGUAGE_GROUP, policy);
  return { trained, grown, tensors };
}

function logitsOf(tensors: ReadonlyMap<string, HostTensor>, config: LanguageConfig): Float32Array {
  const tree = new ParameterTree(tensors);
  const logits = tinyLogits(tree, SEQUENCES, config);
  tree.dispose();
  return logits;
}

/** max |b − a| over max |a| */
function change(a: Float32Array, b: Float32Array): number {
  const most = (values: Float32Array): number => values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  return most(a.map((value, i) => b[i] - value)) / most(a);
}

describeEachEngine('growth', () => {
  for (const normActivation of ['l2NormGelu', 'geluL2Norm', 'softmax']) {
    const config = withStack({ normActivation });
    const before = (): Float32Array => logitsOf(trainedTensors(config), config);

    if (normActivation !== 'softmax') {
      it(`by tokens with zero keys keeps the function: ${normActivation}`, () => {
        const { grown, tensors } = grow(config, { policy: 'preserve', factor: 2.5 });
        expect(grown.stack).toMatchObject({ qkvParamTokens: 15, outputParamTokens: 13, ffnParamTokens: 25 });
        expect(change(before(), logitsOf(tensors, grown))).toBeLessThan(2e-6); // 0 measured: at larger sizes sums are ordered otherwise
      });
    }

    it(`by a group of its own keeps the function: ${normActivation}`, () => {
      const { grown, tensors } = grow(config, { policy: 'group', tokens: { query: 4, ffn: 7 } });
      expect(grown.stack.appendedGroups).toEqual([{ name: 'grown1', query: 4, key: 0, value: 0, output: 0, ffn: 7 }]);
      expect(change(before(), logitsOf(tensors, grown))).toBeLessThan(2e-6); // 0 measured: at larger sizes sums are ordered otherwise
    });

    it(`by blocks keeps the function: ${normActivation}`, () => {
      const { grown, tensors } = grow(config, { policy: 'preserve', layers: 2 });
      expect(grown.stack.numLayers).toBe(4);
      expect(change(before(), logitsOf(tensors, grown))).toBeLessThan(2e-6); // 0 measured: at larger sizes sums are ordered otherwise
    });
  }

  it('of tokens and blocks at once, twice over, keeps the function', () => {
    const config = tinyLanguageConfig;
    const trained = trainedTensors(config);
    const sizes = sizesOf(config.stack, [
      { policy: 'group', factor: 2, layers: 1 },
      { policy: 'preserve', tokens: { ffn: 3 } },
    ]).map((stack) => ({ ...config, stack }));
    const tensors = sizes
      .slice(1)
      .reduce<ReadonlyMap<string, HostTensor>>(
        (smaller, size, i) =>
          growParameters(smaller, createLanguageParameters(size, i + 5), LANGUAGE_GROUP, 'preserve'),
        trained,
      );
    expect(change(logitsOf(trained, config), logitsOf(tensors, sizes[2]))).toBeLessThan(2e-6); // 0 measured: at larger sizes sums are ordered otherwise
  });

  it('by the official way changes the function, and so does τ of the new number of tokens alone', () => {
    const config = tinyLanguageConfig;
    const { trained, grown, tensors } = grow(config, { policy: 'official', factor: 2 });
    const before = logitsOf(trained, config);
    expect(change(before, logitsOf(tensors, grown))).toBeGreaterThan(0.05);
    expect(tensors.get('block0/ffn/language/tau')?.values[0]).toBeCloseTo(Math.sqrt(20), 6);
    const preserved = new Map(grow(config, { policy: 'preserve', factor: 2 }).tensors);
    for (const name of preserved.keys()) if (name.endsWith('/tau')) preserved.set(name, tensors.get(name)!);
    expect(change(before, logitsOf(preserved, grown))).toBeGreaterThan(0.05);
  });

  it('leaves every new parameter token a way to learn: its zeros get a gradient at once', () => {
    const { grown, tensors } = grow(tinyLanguageConfig, { policy: 'preserve', factor: 2 });
    const tree = new ParameterTree(tensors);
    const names = ['keyParamTokens', 'valueParamTokens'].map((what) => `block1/ffn/language/${what}`);
    const variables = names.map((name) => tree.variable(name));
    const { value, grads } = tf.variableGrads(() => {
      const ids = tf.tensor2d(SEQUENCES, undefined, 'int32');
      const { hidden } = languageHidden(tree, grown, ids);
      return summedTokenLoss(
        tree,
        hidden,
        Int32Array.from(SEQUENCES.flat(), (id) => (id + 1) % 11),
      );
    }, variables);
    const [keys, values] = variables.map(({ name }) => grads[name].dataSync().slice(10 * 8)); // of the 10 new tokens
    expect(keys.every((g) => g !== 0)).toBe(true);
    expect(values.every((g) => g === 0)).toBe(true);
    tf.dispose([value, ...Object.values(grads)]);
    tree.dispose();
  });
});

it.skipIf(!(await native.probe()).available)(
  'leaves a grown block one operation on native, with groups appended twice',
  async () => {
    await selectEngine('native');
    const growths = [
      { policy: 'group', factor: 2 },
      { policy: 'group', tokens: { ffn: 4 }, layers: 1 },
    ] as const;
    const stack = sizesOf(tinyLanguageConfig.stack, growths)[2];
    const tree = new ParameterTree(createLanguageParameters({ ...tinyLanguageConfig, stack }, 1));
    const blocks = stackBlocks(tree, stack, LANGUAGE_GROUP);
    expect(blocks.map(({ query, ffn }) => [query.length, ffn.length])).toEqual([
      [2, 3],
      [2, 3],
      [2, 3],
    ]);
    tf.tidy(() => {
      for (const block of blocks) {
        expect(fusedBlock(tf.ones([2, 5, 8]), block, stack, { mask: { kind: 'causal' } })?.shape).toEqual([2, 5, 8]);
      }
    });
    tree.dispose();
  },
);

it('keeps the trained rows, byte for byte, and takes what is random from the seed', () => {
  const { trained, tensors } = grow(tinyLanguageConfig, { policy: 'preserve', factor: 2 });
  for (const [name, { values }] of trained)
    expect(tensors.get(name)!.values.slice(0, values.length), name).toEqual(values);
  expect(grow(tinyLanguageConfig, { policy: 'preserve', factor: 2 }).tensors).toEqual(tensors);
  const rms = (x: ArrayLike<number>): number =>
    Math.sqrt(Array.from(x, (v) => v * v).reduce((a, b) => a + b) / x.length);
  const { values } = tensors.get('block0/ffn/language/valueParamTokens')!;
  expect(rms(values.slice(80)) / rms(values.slice(0, 80))).toBeCloseTo(1, 5);
});

it('refuses zero keys where a score of 0 has a weight, and says what keeps the function', () => {
  const stack = withStack({ normActivation: 'softmax' }).stack;
  const larger = { ...stack, ffnParamTokens: 20 };
  expect(growthProblems(stack, larger, 'preserve')).toEqual([expect.stringContaining('use official, or group')]);
  expect(growthProblems(stack, larger, 'official')).toEqual([]);
  expect(growthProblems(stack, stack, 'preserve')).toEqual([]);
});

it('names every key in which a model cannot be grown into another', () => {
  const { stack } = withStack({ appendedGroups: [{ name: 'a', query: 3, key: 0, value: 0, output: 0, ffn: 0 }] });
  const problems = growthProblems(
    stack,
    {
      ...stack,
      ...{ numHeads: 4, numLayers: 1, ffnParamTokens: 9 },
      appendedGroups: [{ name: 'a', query: 2, key: 1, value: 0, output: 0, ffn: 0 }],
    },
    'preserve',
  );
  expect(problems).toEqual([
    expect.stringContaining('model.stack.numHeads: expected 2'),
    expect.stringContaining('model.stack.numLayers: expected at least 2'),
    expect.stringContaining('expected at least 10 parameter tokens in ffn layers'),
    expect.stringContaining('expected at least 3 parameter tokens in query layers of group a'),
    expect.stringContaining('expected no parameter tokens in key layers of group a'),
  ]);
  const other = { ...stack, appendedGroups: [{ name: 'b', query: 3, key: 0, value: 0, output: 0, ffn: 0 }] };
  expect(growthProblems(stack, other, 'preserve')).toEqual([expect.stringContaining('appendedGroups')]);
});
