import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FUSED_KERNELS, tf } from '#src/engine';
import { sparsePattention } from '#src/kernels';
import { createRandom } from '#src/random';
import {
  createGroup,
  createStack,
  ParameterTree,
  parseSparsity,
  pattentionLayer,
  readGroup,
  runStack,
  type Sparsity,
  stackBlocks,
  strongestOf,
  TokenFormerConfig,
  tokenWeights,
} from '#src/tokenformer';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { randomValues } from '../support/randomValues.js';

describe('parseSparsity', () => {
  it('reads numbers of parameter tokens and shares', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 999_999_999 }), (count) => {
        expect(parseSparsity(String(count))).toEqual({ count });
      }),
    );
    expect(parseSparsity('25%')).toEqual({ share: 0.25 });
    expect(parseSparsity('0.5%')).toEqual({ share: 0.005 });
    expect(parseSparsity('100%')).toEqual({ share: 1 });
  });

  it.each(['', '0', '0%', '-1', '1.5', '101%', '25 %', '%', '1e3', '٣', '64of128', '9999999999'])(
    'refuses %j',
    (text) => {
      expect(parseSparsity(text)).toBeUndefined();
    },
  );

  it('takes any text without an error', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 20 }), (text) => {
        const sparsity = parseSparsity(text);
        if (sparsity !== undefined) expect(strongestOf(sparsity, 100)).toBeGreaterThan(0);
      }),
    );
  });
});

describe('strongestOf', () => {
  it.each([
    [undefined, 10, 10],
    [{ count: 4 }, 10, 4],
    [{ count: 40 }, 10, 10],
    [{ share: 0.25 }, 10, 3],
    [{ share: 0.001 }, 10, 1],
    [{ share: 1 }, 7, 7],
  ] as const)('of %o and %i parameter tokens is %i', (sparsity, n, expected) => {
    expect(strongestOf(sparsity, n)).toBe(expected);
  });
});

const math = { normActivation: 'l2NormGelu', gelu: 'erf', normEpsilon: 1e-5 } as const;
const [dIn, dOut, tokens] = [6, 5, 4];
const input = (): tf.Tensor2D => tf.tensor2d(randomValues(tokens * dIn, 'sparsity', 'x'), [tokens, dIn]);

function treeOf(groups: Record<string, number>, sparsity?: Sparsity): ParameterTree {
  const tree = new ParameterTree();
  for (const [name, numParamTokens] of Object.entries(groups)) {
    const init = { numParamTokens, dIn, dOut, keyStd: 0.5, valueStd: 0.5, tau: Math.sqrt(numParamTokens) };
    tree.add(createGroup('layer', name, init, createRandom(1, name)));
  }
  tree.useSparsity(sparsity);
  return tree;
}

describeEachEngine('a layer of sparse groups', (engine) => {
  it('uses the strongest parameter tokens of each group', () => {
    const tree = treeOf({ a: 20, b: 3 }, { count: 4 });
    const [a, b] = ['a', 'b'].map((name) => readGroup(tree, 'layer', name));
    const settings = { normActivation: 'l2NormGelu', gelu: 'erf', epsilon: 1e-5, tau: a.tau } as const;
    const alone = sparsePattention(input(), a.keyParamTokens, a.valueParamTokens, settings, 4);
    // All three of b: as it is without a word about sparsity.
    const whole = pattentionLayer(input(), [{ group: { ...b, sparsity: undefined } }], math);
    const both = pattentionLayer(input(), [{ group: a }, { group: b }], math);
    expect(relativeError(both.dataSync(), tf.add(alone, whole).dataSync())).toBeLessThan(1e-6);
    const dense = pattentionLayer(input(), [{ group: { ...a, sparsity: undefined } }, { group: b }], math);
    expect(relativeError(both.dataSync(), dense.dataSync())).toBeGreaterThan(0.05);
  });

  it('is its weights times the values', () => {
    const [group] = ['a'].map((name) => readGroup(treeOf({ a: 20 }, { share: 0.2 }), 'layer', name));
    const weights = tokenWeights(input(), { group }, math);
    const used = [...weights.dataSync()].filter((weight) => weight !== 0).length;
    expect(used).toBe(4 * tokens);
    const expected = tf.matMul(weights, group.valueParamTokens).dataSync();
    expect(relativeError(pattentionLayer(input(), [{ group }], math).dataSync(), expected)).toBeLessThan(1e-6);
  });

  it('chooses among all tokens of groups under one norm', () => {
    const tree = treeOf({ a: 20, b: 10 }, { count: 5 });
    const groups = ['a', 'b'].map((name) => readGroup(tree, 'layer', name));
    const keys = tf.concat(groups.map(({ keyParamTokens }) => keyParamTokens)) as tf.Tensor2D;
    const values = tf.concat(groups.map(({ valueParamTokens }) => valueParamTokens)) as tf.Tensor2D;
    const settings = { normActivation: 'l2NormGelu', gelu: 'erf', epsilon: 1e-5, tau: Math.sqrt(30) } as const;
    const expected = sparsePattention(input(), keys, values, settings, 5).dataSync();
    const layer = groups.map((group) => ({ group, norm: 'union' as const }));
    expect([...pattentionLayer(input(), layer, math).dataSync()]).toEqual([...expected]);
  });

  it('leaves linear maps whole, and applies gates', () => {
    const group = readGroup(treeOf({ a: 20 }, { count: 2 }), 'layer', 'a');
    const linear = { group, norm: 'linear' } as const;
    const whole = { ...linear, group: { ...group, sparsity: undefined } };
    const [some, all] = [linear, whole].map((active) => [...pattentionLayer(input(), [active], math).dataSync()]);
    expect(some).toEqual(all);
    const gate = tf.scalar(0.3);
    const gated = pattentionLayer(input(), [{ group, gate }], math).dataSync();
    const ungated = tf.mul(pattentionLayer(input(), [{ group }], math), Math.tanh(0.3)).dataSync();
    expect(relativeError(gated, ungated)).toBeLessThan(1e-6);
  });

  it('refuses a gradient', () => {
    const group = readGroup(treeOf({ a: 20 }, { count: 2 }), 'layer', 'a');
    expect(() => tf.grad((x) => pattentionLayer(x as tf.Tensor2D, [{ group }], math))(input())).toThrow(
      'expected inference, got a gradient',
    );
  });

  const config = TokenFormerConfig.parse({
    dModel: 8,
    numLayers: 2,
    numHeads: 2,
    qkvParamTokens: 12,
    outputParamTokens: 12,
    ffnParamTokens: 24,
  });
  /** A pass over three tokens and one more; with the names of the fused kernels that ran. */
  async function passes(sparsity: Sparsity | undefined): Promise<{ numbers: number[]; kernels: string[] }> {
    const tree = new ParameterTree(createStack('own', config, 1));
    tree.useSparsity(sparsity);
    const mask = { kind: 'causal' } as const;
    const all: number[] = [];
    const { kernelNames } = await tf.profile(() => {
      tf.tidy(() => {
        const blocks = stackBlocks(tree, config, 'own');
        const x = tf.tensor3d(randomValues(2 * 3 * 8, 'sparsity', 'stack'), [2, 3, 8]);
        const { hidden } = runStack(x, blocks, config, { mask });
        const { caches } = runStack(x, blocks, config, { mask, keepCaches: true });
        const next = tf.slice(x, [0, 1, 0], [-1, 1, -1]);
        all.push(...hidden.dataSync(), ...runStack(next, blocks, config, { mask, caches }).hidden.dataSync());
      });
      return tf.scalar(0);
    });
    tree.dispose();
    return { numbers: all, kernels: kernelNames.filter((name) => name in FUSED_KERNELS).sort() };
  }

  it('changes no bit and no kernel when every parameter token is used', async () => {
    const dense = await passes(undefined);
    for (const sparsity of [{ share: 1 }, { count: 24 }]) expect(await passes(sparsity)).toEqual(dense);
    const some = await passes({ count: 3 });
    expect(relativeError(some.numbers, dense.numbers)).toBeGreaterThan(0.01);
    if (engine === 'native') {
      expect(dense.kernels).toContain('TokenFormerBlock');
      // One more token still goes through all blocks at once.
      expect(some.kernels).toContain('DecodeBlocks');
      expect(some.kernels).not.toContain('TokenFormerBlock');
    }
  });
});
