import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fromOfficial, officialNames } from '#language';
import { type HostTensor, readSafetensors } from '#src/storage';
import { userErrorLine } from '../support/thrown.js';

const path = join(
  resolve(import.meta.dirname, '../..'),
  'test/fixtures/tokenformer/language-l2_norm_gelu.weights.safetensors',
);
const settings = { numHeads: 2, rotaryShare: 0.5, normActivation: 'l2_norm_gelu', seqLen: 7 };
const tensors = () => readSafetensors(path).tensors;

describe('fromOfficial', () => {
  it('reads every size from the tensors', () => {
    const { config } = fromOfficial(tensors(), settings, 'model');
    expect(config).toEqual({
      vocabSize: 13,
      seqLen: 7,
      stack: {
        dModel: 8,
        numLayers: 2,
        numHeads: 2,
        qkvParamTokens: 6,
        outputParamTokens: 5,
        ffnParamTokens: 10,
        normActivation: 'l2NormGelu',
        gelu: 'erf',
        normEpsilon: 0,
        rotaryShare: 0.5,
        rotaryBase: 10_000,
      },
    });
  });

  it('takes every tensor over unchanged, and τ = √n beside each group', () => {
    const official = tensors();
    const { tensors: ours } = fromOfficial(official, settings, 'model');
    for (const [name, officialName] of officialNames(2)) expect(ours.get(name)).toBe(official.get(officialName));
    expect(ours.get('block1/ffn/language/tau')!.values).toEqual(Float32Array.of(Math.sqrt(10)));
    expect(ours.size).toBe(official.size + 10);
  });

  it('takes τ = n for softmax', () => {
    const { tensors: ours } = fromOfficial(tensors(), { ...settings, normActivation: 'softmax' }, 'model');
    expect(ours.get('block0/attention/output/language/tau')!.values).toEqual(Float32Array.of(5));
  });

  it.each([
    'sequential.0.word_embeddings.weight',
    'sequential.3.attention.proj.value_param_tokens',
    'sequential.5.norm.bias',
  ])('names %s when it is missing', (name) => {
    const without = tensors();
    without.delete(name);
    expect(userErrorLine(() => fromOfficial(without, settings, 'model'))).toBe(
      `model: expected a tensor '${name}', it has none of that name`,
    );
  });

  it('names a tensor of another width', () => {
    const other = tensors().set('sequential.2.mlp.value_param_tokens', {
      shape: [10, 4],
      values: new Float32Array(40),
    });
    expect(userErrorLine(() => fromOfficial(other, settings, 'model'))).toBe(
      "model: 'sequential.2.mlp.value_param_tokens': expected shape [10,8], got [10,4]",
    );
  });

  it('names a group whose keys and values differ in number', () => {
    const other = tensors().set('sequential.2.mlp.value_param_tokens', { shape: [9, 8], values: new Float32Array(72) });
    expect(userErrorLine(() => fromOfficial(other, settings, 'model'))).toContain('sequential.2.mlp');
  });

  it('refuses a checkpoint of something else', () => {
    const other = new Map([['sequential.0.word_embeddings.weight', { shape: [3, 2], values: new Float32Array(6) }]]);
    expect(userErrorLine(() => fromOfficial(other, settings, 'model'))).toContain(
      "expected blocks named 'sequential.2.…'",
    );
  });

  it('refuses heads that do not divide the width', () => {
    expect(userErrorLine(() => fromOfficial(tensors(), { ...settings, numHeads: 3 }, 'model'))).toBe(
      'model: expected a number of heads that divides its width 8, got 3',
    );
  });

  it('refuses an output layer that is not the embedding, and takes one that is', () => {
    const name = 'sequential.6.final_linear.weight';
    const embedding = tensors().get('sequential.0.word_embeddings.weight')!;
    const untied = { shape: embedding.shape, values: new Float32Array(embedding.values.length) };
    expect(userErrorLine(() => fromOfficial(tensors().set(name, untied), settings, 'model'))).toContain(
      `'${name}': expected no output layer beside the embedding`,
    );
    expect(fromOfficial(tensors().set(name, embedding), settings, 'model').unused).toEqual([name]);
  });

  it('names every tensor that has no place in the model', () => {
    const bias = { shape: [8], values: new Float32Array(8) };
    const more = tensors().set('sequential.2.attention.query.bias', bias).set('other', bias);
    expect(fromOfficial(more, settings, 'model').unused).toEqual(['sequential.2.attention.query.bias', 'other']);
  });

  it.each<[string, HostTensor, string]>([
    ['whole numbers', { shape: [10, 8], values: new Int32Array(80) }, 'got whole numbers'],
    ['NaN', { shape: [10, 8], values: new Float32Array(80).fill(Number.NaN) }, 'expected finite numbers'],
    ['a vector', { shape: [80], values: new Float32Array(80) }, 'expected a matrix, got shape [80]'],
  ])('refuses %s for weights', (_, tensor, expected) => {
    const other = tensors().set('sequential.2.mlp.key_param_tokens', tensor);
    expect(userErrorLine(() => fromOfficial(other, settings, 'model'))).toContain(expected);
  });

  it.each([
    [{ numHeads: Number.NaN }, 'number of heads'],
    [{ numHeads: -2 }, 'numHeads'],
    [{ rotaryShare: 2 }, 'rotaryShare'],
    [{ seqLen: 0 }, 'seqLen'],
  ])('refuses the settings %o', (wrong, expected) => {
    expect(userErrorLine(() => fromOfficial(tensors(), { ...settings, ...wrong }, 'model'))).toContain(expected);
  });
});
