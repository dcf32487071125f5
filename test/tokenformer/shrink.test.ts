import { expect, it } from 'vitest';
import { createLanguageParameters, LANGUAGE_GROUP, languageUsage, textBatch } from '#language';
import type { HostTensor } from '#src/storage';
import { growParameters, ParameterTree, shrinkParameters, shrunkStack } from '#src/tokenformer';
import { describeEachEngine } from '../engine/eachEngine.js';
import { userErrorLine } from '../support/thrown.js';
import { tinyLanguageConfig, tinyLanguageTree, tinyLogits } from '../support/tinyLanguageModel.js';

const SEQUENCES = [
  [1, 4, 2, 9, 3, 3, 0, 7],
  [5, 5, 1, 0, 2, 8, 10, 6],
];
const BATCHES = [
  textBatch(
    SEQUENCES.map((ids) => Int32Array.from([...ids, 1])),
    8,
    0,
  ),
];

describeEachEngine('shrinking', () => {
  it('drops the tokens that a growth appended and nothing uses, and gives back the bits of before', async () => {
    const small = await tinyLanguageTree().toHost();
    const larger = {
      ...tinyLanguageConfig,
      stack: { ...tinyLanguageConfig.stack, qkvParamTokens: 9, outputParamTokens: 8, ffnParamTokens: 16 },
    };
    const grown = growParameters(small, createLanguageParameters(larger, 9), LANGUAGE_GROUP, 'preserve');
    const tree = new ParameterTree(grown);
    const usage = await languageUsage(tree, larger, BATCHES);
    tree.dispose();
    const tokens = { query: 3, key: 3, value: 3, output: 3, ffn: 6 };
    const stack = shrunkStack(larger.stack, { tokens });
    expect(stack).toEqual(tinyLanguageConfig.stack);
    const shrunk = shrinkParameters(grown, usage, stack, LANGUAGE_GROUP);
    expect([...shrunk.keys()]).toEqual([...grown.keys()]);
    for (const [name, { shape, values }] of small) {
      expect(shrunk.get(name)!.shape, name).toEqual(shape);
      expect(shrunk.get(name)!.values, name).toEqual(values);
    }
  });

  it('keeps about what is written by those that stay: τ becomes that of the part', async () => {
    const tensors = await tinyLanguageTree().toHost();
    const tree = new ParameterTree(tensors);
    const before = tinyLogits(tree, SEQUENCES);
    const usage = await languageUsage(tree, tinyLanguageConfig, BATCHES);
    const config = { ...tinyLanguageConfig, stack: shrunkStack(tinyLanguageConfig.stack, { tokens: { ffn: 2 } }) };
    const shrunk = shrinkParameters(tensors, usage, config.stack, LANGUAGE_GROUP);
    const change = (parameters: ReadonlyMap<string, HostTensor>): number => {
      tree.replace(parameters);
      const after = tinyLogits(tree, SEQUENCES, config);
      return Math.sqrt(after.reduce((sum, value, i) => sum + (value - before[i]) ** 2, 0));
    };
    const withRule = change(shrunk);
    const withOldTau = change(
      new Map([...shrunk].map(([name, tensor]) => [name, name.endsWith('/tau') ? tensors.get(name)! : tensor])),
    );
    expect(withRule).toBeLessThan(withOldTau);
    const tau = (of: ReadonlyMap<string, HostTensor>): number => of.get('block0/ffn/language/tau')!.values[0];
    expect(tau(shrunk) / tau(tensors)).toBeLessThan(1);
    tree.dispose();
  });
});

it('takes a share of every group, and leaves each layer a token of its own', () => {
  const appendedGroups = [{ name: 'a', query: 1, key: 0, value: 0, output: 0, ffn: 8 }];
  const stack = { ...tinyLanguageConfig.stack, appendedGroups };
  expect(shrunkStack(stack, { share: 0.75 })).toMatchObject({
    ...{ qkvParamTokens: 2, outputParamTokens: 1, ffnParamTokens: 3 },
    appendedGroups: [{ name: 'a', query: 1, key: 0, value: 0, output: 0, ffn: 2 }],
  });
  expect(shrunkStack(stack, { share: 0.99 })).toMatchObject({ qkvParamTokens: 1, outputParamTokens: 1 });
  expect(userErrorLine(() => shrunkStack(stack, { tokens: { query: 6 } }))).toContain(
    'expected fewer than the 6 parameter tokens of query layers, got 6',
  );
});

it('a group without a norm stays one', () => {
  const lora = { name: 'lora', query: 4, key: 4, value: 4, output: 4, ffn: 4, kind: 'linear' as const };
  const { appendedGroups } = shrunkStack({ ...tinyLanguageConfig.stack, appendedGroups: [lora] }, { share: 0.5 });
  expect(appendedGroups).toEqual([{ ...lora, query: 2, key: 2, value: 2, output: 2, ffn: 2 }]);
});
