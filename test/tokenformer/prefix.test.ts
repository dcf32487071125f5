import { describe, expect, it } from 'vitest';
import {
  createLanguageParameters,
  LANGUAGE_GROUP,
  type LanguageConfig,
  languageHidden,
  summedTokenLoss,
} from '#language';
import { FUSED_KERNELS, tf } from '#src/engine';
import type { HostTensor } from '#src/storage';
import {
  cutToPrefix,
  growParameters,
  ParameterTree,
  prefixParameters,
  prefixStack,
  readGroup,
  runStack,
  stackBlocks,
} from '#src/tokenformer';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { randomValues } from '../support/randomValues.js';
import { tinyLanguageConfig, tinyLanguageTree, tinyLogits } from '../support/tinyLanguageModel.js';

const SEQUENCES = [
  [1, 4, 2, 9, 3, 3, 0, 7],
  [5, 5, 1, 0, 2, 8, 10, 6],
];
const TARGETS = Int32Array.from(SEQUENCES.flat(), (id) => (id + 1) % 11);

const appendedGroups = [{ name: 'more', query: 4, key: 0, value: 0, output: 0, ffn: 7 }];
const whole: LanguageConfig = { ...tinyLanguageConfig, stack: { ...tinyLanguageConfig.stack, appendedGroups } };
const half: LanguageConfig = { ...whole, stack: prefixStack(whole.stack, { share: 0.5 }) };

describe('prefixStack', () => {
  it('keeps the first tokens of every group, of an appended one too unless it is to stay whole', () => {
    expect(half.stack).toMatchObject({
      ...{ qkvParamTokens: 3, outputParamTokens: 3, ffnParamTokens: 5 },
      appendedGroups: [{ name: 'more', query: 2, key: 0, value: 0, output: 0, ffn: 4 }],
    });
    expect(prefixStack(whole.stack, { count: 6 }, ['more'])).toMatchObject({
      ...{ qkvParamTokens: 6, outputParamTokens: 5, ffnParamTokens: 6 },
      appendedGroups,
    });
    expect(prefixStack(whole.stack, { share: 1 })).toEqual(whole.stack);
  });
});

it('has the τ of a model of its size, and never more than the whole group', () => {
  const tensors = createLanguageParameters(whole, 1);
  tensors.set('block0/ffn/language/tau', { shape: [], values: Float32Array.of(2) });
  const tree = new ParameterTree(tensors);
  const tau = (block: number, numParamTokens: number): number =>
    readGroup(tree, `block${block}/ffn`, 'language', { numParamTokens, normActivation: 'l2NormGelu' }).tau;
  expect(tau(1, 5)).toBe(Math.fround(Math.sqrt(5)));
  expect(tau(1, 10)).toBe(Math.fround(Math.sqrt(10)));
  expect([3, 4, 5, 10].map((n) => tau(0, n))).toEqual([Math.fround(Math.sqrt(3)), 2, 2, 2]);
  tree.dispose();
});

/** The gradient of every variable, and the fused kernels that ran. */
async function gradients(tree: ParameterTree, config: LanguageConfig) {
  const names = tree.names();
  const found = new Map<string, Float32Array>();
  const { kernelNames } = await tf.profile(() => {
    tf.tidy(() => {
      const { grads } = tf.variableGrads(
        () =>
          summedTokenLoss(
            tree,
            languageHidden(tree, config, tf.tensor2d(SEQUENCES, undefined, 'int32')).hidden,
            TARGETS,
          ),
        names.map((name) => tree.variable(name)),
      );
      for (const name of names) found.set(name, grads[tree.variable(name).name].dataSync() as Float32Array);
    });
    return tf.scalar(0);
  });
  return { found, kernels: new Set(kernelNames.filter((name) => name in FUSED_KERNELS)) };
}

describeEachEngine('a prefix', (engine) => {
  for (const normActivation of ['l2NormGelu', 'geluL2Norm', 'softmax']) {
    it(`is the smaller model that its parameters make, to the bit: ${normActivation}`, async () => {
      const config = { ...whole, stack: { ...whole.stack, normActivation } };
      const smaller = { ...config, stack: prefixStack(config.stack, { share: 0.5 }) };
      const tree = tinyLanguageTree(config);
      const all = tinyLogits(tree, SEQUENCES, config);
      const seen = tinyLogits(tree, SEQUENCES, smaller);
      expect(relativeError(seen, all)).toBeGreaterThan(0.05);
      const own = new ParameterTree(prefixParameters(await tree.toHost(), smaller.stack, LANGUAGE_GROUP));
      expect(own.shapes()).toEqual(new ParameterTree(createLanguageParameters(smaller, 1)).shapes());
      expect(tinyLogits(own, SEQUENCES, smaller)).toEqual(seen);
      await cutToPrefix(tree, smaller.stack, LANGUAGE_GROUP);
      expect(tree.shapes()).toEqual(own.shapes());
      expect(tinyLogits(tree, SEQUENCES, smaller)).toEqual(seen);
    });
  }

  it('of a model that grew by tokens is the model before, to the bit', async () => {
    const small = tinyLanguageTree();
    const before = tinyLogits(small, SEQUENCES);
    const larger = { qkvParamTokens: 15, outputParamTokens: 9, ffnParamTokens: 32 };
    const fresh = createLanguageParameters(
      { ...tinyLanguageConfig, stack: { ...tinyLanguageConfig.stack, ...larger } },
      7,
    );
    for (const policy of ['preserve', 'official'] as const) {
      const tree = new ParameterTree(growParameters(await small.toHost(), fresh, LANGUAGE_GROUP, policy));
      expect(tinyLogits(tree, SEQUENCES), policy).toEqual(before);
      tree.dispose();
    }
  });

  it('gets the gradient that the smaller model gets, and no other token any', async () => {
    const tree = tinyLanguageTree(whole);
    const own = new ParameterTree(prefixParameters(await tree.toHost(), half.stack, LANGUAGE_GROUP));
    const [seen, expected] = [await gradients(tree, half), await gradients(own, half)];
    expect(seen.kernels).toEqual(expected.kernels);
    if (engine === 'native') expect(seen.kernels).toContain('TokenFormerBlockGrad');
    for (const [name, gradient] of expected.found) {
      const all = seen.found.get(name)!;
      expect(all.slice(0, gradient.length), name).toEqual(gradient);
      expect(
        all.slice(gradient.length).every((value) => value === 0),
        name,
      ).toBe(true);
    }
    expect(seen.found.get('block0/ffn/language/keyParamTokens')!.length).toBe(80);
  });

  it('has the gradient of its loss', async () => {
    const tree = tinyLanguageTree(whole);
    const { found } = await gradients(tree, half);
    const lossWith = (name: string, change: HostTensor): number => {
      const variable = tree.variable(name);
      const before = tf.clone(variable);
      const moved = tf.tidy(() => tf.add(variable, tf.tensor(change.values as Float32Array, [...change.shape])));
      variable.assign(moved);
      const loss = tf.tidy(() => {
        const { hidden } = languageHidden(tree, half, tf.tensor2d(SEQUENCES, undefined, 'int32'));
        return summedTokenLoss(tree, hidden, TARGETS).dataSync()[0];
      });
      variable.assign(before);
      tf.dispose([before, moved]);
      return loss;
    };
    for (const name of [
      'block0/attention/query/language.more/valueParamTokens',
      'block1/ffn/language/keyParamTokens',
    ]) {
      const { shape, size } = tree.variable(name);
      // Along a direction in all tokens, the others included, on which the loss does not depend.
      const direction = randomValues(size, 'direction', name);
      const at = (h: number): number => lossWith(name, { shape, values: direction.map((value) => h * value) });
      const h = 4e-3;
      const slope = (at(h) - at(-h)) / (2 * h);
      const along = found.get(name)!.reduce((sum, value, i) => sum + value * direction[i], 0);
      expect(relativeError([slope], [along]), name).toBeLessThan(0.01);
    }
  });

  it('decodes another token in the kernel that the whole model takes', async () => {
    const tree = tinyLanguageTree(whole);
    const own = new ParameterTree(prefixParameters(await tree.toHost(), half.stack, LANGUAGE_GROUP));
    const mask = { kind: 'causal' } as const;
    const decoded = async (of: ParameterTree, { stack }: LanguageConfig) => {
      let hidden: Float32Array = new Float32Array();
      const { kernelNames } = await tf.profile(() => {
        tf.tidy(() => {
          const x = tf.tensor3d(randomValues(2 * 3 * 8, 'prefix', 'x'), [2, 3, 8]);
          const blocks = stackBlocks(of, stack, LANGUAGE_GROUP);
          const { caches } = runStack(x, blocks, stack, { mask, keepCaches: true });
          const next = tf.slice(x, [0, 1, 0], [-1, 1, -1]);
          hidden = runStack(next, blocks, stack, { mask, caches }).hidden.dataSync() as Float32Array;
        });
        return tf.scalar(0);
      });
      return { hidden, kernels: new Set(kernelNames.filter((name) => name in FUSED_KERNELS)) };
    };
    const seen = await decoded(tree, half);
    expect(seen).toEqual(await decoded(own, half));
    expect(seen.kernels).toEqual((await decoded(tree, whole)).kernels);
    if (engine === 'native') expect(seen.kernels).toContain('DecodeBlocks');
  });
});
