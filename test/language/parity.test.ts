import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { languageModelParity, pattentionParity, type TensorParity } from '#language';
import { describeEachEngine } from '../engine/eachEngine.js';
import { float32Tensor, safetensorsBytes } from '../support/safetensorsBytes.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { rejectedLine } from '../support/thrown.js';

const root = resolve(import.meta.dirname, '../..');
const own = join(root, 'test/fixtures/tokenformer');
const official = join(resolve(root, process.env.TOKENFUSE_SHARED ?? '../shared'), 'fixtures/official');
const modes = ['l2_norm_gelu', 'gelu_l2_norm', 'softmax'];
const TOLERANCE = 2e-5;

async function expectEqual(parity: Promise<readonly TensorParity[]>, names: readonly string[]): Promise<void> {
  const results = await parity;
  expect(results.map(({ name }) => name).sort()).toEqual([...names].sort());
  for (const { name, relativeError } of results) {
    if (process.env.TOKENFUSE_TEST_MEASURE === '1') {
      process.stderr.write(`${expect.getState().currentTestName}: ${name}: ${relativeError.toExponential(1)}\n`);
    }
    expect(relativeError, name).toBeLessThanOrEqual(TOLERANCE);
  }
}

function namesOfLanguageModel(numLayers: number): string[] {
  const layers = ['attention.query', 'attention.key', 'attention.value', 'attention.proj', 'mlp'];
  const blocks = Array.from({ length: numLayers }, (_, l) =>
    layers.flatMap((layer) => ['key', 'value'].map((kind) => `grad.sequential.${l + 2}.${layer}.${kind}_param_tokens`)),
  );
  return [
    'logits',
    'loss',
    ...Array.from({ length: numLayers + 1 }, (_, l) => `hidden.${l}`),
    'grad.sequential.0.word_embeddings.weight',
    ...blocks.flat(),
    `grad.sequential.${numLayers + 3}.norm.weight`,
    `grad.sequential.${numLayers + 3}.norm.bias`,
  ];
}

describeEachEngine('parity', () => {
  it.each(modes)('of Pattention with the formula in float64: %s', async (mode) => {
    // Measured 9e-8 to 4e-7.
    await expectEqual(pattentionParity(join(own, `pattention-${mode}.safetensors`)), ['y', 'dx', 'dkey', 'dvalue']);
  });

  it.each(modes)('of a language model with the formula in float64: %s', async (mode) => {
    const path = (part: string): string => join(own, `language-${mode}.${part}.safetensors`);
    // Measured 7e-7 (l2_norm_gelu) to 8e-6 (softmax, wasm).
    await expectEqual(languageModelParity(path('weights'), path('expected')), namesOfLanguageModel(2));
  });

  it.skipIf(!existsSync(official)).each(modes)('of Pattention with the official code: %s', async (mode) => {
    // Measured 2e-7 to 4e-7.
    await expectEqual(pattentionParity(join(official, `pattention-${mode}.safetensors`)), [
      'y',
      'dx',
      'dkey',
      'dvalue',
    ]);
  });

  it.skipIf(!existsSync(official))('of a language model with the official code', async () => {
    const path = (part: string): string => join(official, `tokenformer-tiny.${part}.safetensors`);
    // Measured 2e-6.
    await expectEqual(languageModelParity(path('weights'), path('expected')), namesOfLanguageModel(2));
  });

  it('sees a difference, and only in the tensor that differs', async () => {
    const path = join(temporaryFolder(), 'pattention.safetensors');
    const one = (value: number) => float32Tensor([1, 1], [value]);
    // x k = 3 over its own norm is 1; y = GELU(1) v, GELU'(1) dy v = 0 since the norm takes every scale out.
    const y = 2 * 0.8413447460685429;
    const tensors = { x: one(1), key: one(3), value: one(2), dy: one(1), dx: one(0), dkey: one(0), dvalue: one(y / 2) };
    writeFileSync(path, safetensorsBytes({ ...tensors, y: one(1.01 * y) }, { act: 'l2_norm_gelu' }));
    const errors = Object.fromEntries(
      (await pattentionParity(path)).map(({ name, relativeError }) => [name, relativeError]),
    );
    expect(errors.y).toBeCloseTo(0.01 / 1.01, 5);
    expect(Math.max(errors.dx, errors.dkey, errors.dvalue)).toBeLessThan(1e-6);
  });
});

describe('a fixture that does not fit', () => {
  const written = (tensors: Parameters<typeof safetensorsBytes>[0], metadata: Record<string, string>): string => {
    const path = join(temporaryFolder(), 'fixture.safetensors');
    writeFileSync(path, safetensorsBytes(tensors, metadata));
    return path;
  };
  const matrix = float32Tensor([1, 2], [1, 2]);
  const gradients = { y: matrix, dx: matrix, dkey: matrix, dvalue: matrix };

  it.each([
    ['a tensor missing', { x: matrix, key: matrix, value: matrix }, { act: 'softmax' }, "expected a tensor 'dy'"],
    [
      'an outcome missing',
      { x: matrix, key: matrix, value: matrix, dy: matrix },
      { act: 'softmax' },
      "expected a tensor 'y'",
    ],
    [
      'no mode',
      { x: matrix, key: matrix, value: matrix, dy: matrix, ...gradients },
      {},
      "expected 'act' in its metadata",
    ],
    [
      'an unknown mode',
      { x: matrix, key: matrix, value: matrix, dy: matrix, ...gradients },
      { act: 'relu' },
      "got 'relu'",
    ],
    [
      'a mode every object has',
      { x: matrix, key: matrix, value: matrix, dy: matrix, ...gradients },
      { act: 'toString' },
      "got 'toString'",
    ],
  ])('%s is one clear line', async (_, tensors, metadata, expected) => {
    const path = written(tensors, metadata as Record<string, string>);
    expect(await rejectedLine(pattentionParity(path))).toContain(expected);
  });

  it('sizes that disagree are one clear line', async () => {
    const tensors = { x: matrix, key: float32Tensor([1, 3], [1, 2, 3]), value: matrix, dy: matrix, ...gradients };
    expect(await rejectedLine(pattentionParity(written(tensors, { act: 'softmax' })))).toContain('fixture.safetensors');
  });

  const scalar = float32Tensor([], [1]);
  const empty = float32Tensor([0, 2], []);
  it.each([
    ['keys that are a single number', { x: matrix, key: scalar, value: matrix, dy: matrix }],
    ['keys of three dimensions', { x: matrix, key: float32Tensor([1, 2, 2], [1, 2, 3, 4]), value: matrix, dy: matrix }],
    ['no parameter tokens', { x: matrix, key: empty, value: empty, dy: matrix }],
    [
      'inputs and gradients of unequal number',
      { x: matrix, key: matrix, value: matrix, dy: float32Tensor([3, 2], Array(6)) },
    ],
  ])('%s are one clear line', async (_, tensors) => {
    const path = written({ ...tensors, ...gradients }, { act: 'softmax' });
    expect(await rejectedLine(pattentionParity(path))).toContain('expected x [..., dIn], key [n, dIn]');
  });

  it.each([
    ['beyond the vocabulary', { dtype: 'U8', shape: [1, 3], bytes: Uint8Array.of(1, 2, 200) }, 'got the id 200'],
    ['with fractions', float32Tensor([1, 2], [1, 1.5]), 'got the id 1.5'],
    ['in one row', { dtype: 'U8', shape: [3], bytes: Uint8Array.of(1, 2, 3) }, 'got shape [3]'],
    ['that are none', { dtype: 'U8', shape: [0, 3], bytes: new Uint8Array(0) }, 'got shape [0,3]'],
  ])('token ids %s are one clear line', async (_, ids, expected) => {
    const weights = join(own, 'language-softmax.weights.safetensors');
    const path = written({ input_ids: ids }, {});
    expect(await rejectedLine(languageModelParity(weights, path))).toContain(expected);
  });

  it('numbers of another shape are one clear line', async () => {
    const weights = join(own, 'language-softmax.weights.safetensors');
    const path = written({ input_ids: { dtype: 'U8', shape: [1, 2], bytes: Uint8Array.of(1, 2) }, logits: matrix }, {});
    expect(await rejectedLine(languageModelParity(weights, path))).toMatch(
      /^\S+fixture\.safetensors: 'logits': expected shape \[2,13\], got \[/,
    );
  });

  it('an expectation of another name is refused, not passed over', async () => {
    const weights = join(own, 'language-softmax.weights.safetensors');
    const expected = written(
      { input_ids: { dtype: 'U8', shape: [1, 3], bytes: Uint8Array.of(1, 2, 3) }, 'grad.other': matrix },
      {},
    );
    expect(await rejectedLine(languageModelParity(weights, expected))).toContain("got 'grad.other'");
  });
});
