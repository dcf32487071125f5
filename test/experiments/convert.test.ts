import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type HostTensor, writeSafetensors } from '#src/storage';
import { LAYER_NAMES } from '#src/tokenformer';
import { randomValues } from '../support/randomValues.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { refusal, tokenfuse } from '../support/tokenfuse.js';

const WIDTH = 4;
const GPT2_TOKENS = 50_257;

/** A model of one block with official names, its embedding of so many rows. */
function official(folder: string, rows: number, more: Record<string, HostTensor> = {}): string {
  const tensors = new Map<string, HostTensor>(Object.entries(more));
  const put = (name: string, shape: number[]): void => {
    const values = randomValues(
      shape.reduce((product, n) => product * n, 1),
      name,
    );
    tensors.set(name, { shape, values });
  };
  put('sequential.0.word_embeddings.weight', [rows, WIDTH]);
  const layers = ['attention.query', 'attention.key', 'attention.value', 'attention.proj', 'mlp'];
  expect(layers).toHaveLength(LAYER_NAMES.length);
  for (const layer of layers) {
    for (const part of ['key', 'value']) put(`sequential.2.${layer}.${part}_param_tokens`, [3, WIDTH]);
  }
  for (const part of ['weight', 'bias']) put(`sequential.4.norm.${part}`, [WIDTH]);
  const path = join(folder, 'official.safetensors');
  writeSafetensors(path, tensors, { h: '1', act: 'l2_norm_gelu', rot: '0.25', seq: '16' });
  return path;
}

describe('convert', () => {
  it('takes a padded vocabulary, and warns that the encoding is a guess', async () => {
    const folder = temporaryFolder();
    const { code, stdout } = await tokenfuse(['convert', official(folder, 50_304), 'out'], folder);
    expect(code).toBe(0);
    expect(stdout).toContain('50304 rows for 50257 tokens: the vocabulary is padded, the rest is never predicted');
    expect(stdout).toMatch(/warning: no --encoding given, gpt2 is assumed\. .* GPT-NeoX-20B/);
    const words = ['generate', 'out', 'The', '--engine', 'cpu', '--decoding', 'sample', '--temperature', '100'];
    for (const seed of ['3', '5']) {
      const generated = await tokenfuse([...words, '--seed', seed, '--max-tokens', '40'], folder);
      expect(generated).toMatchObject({ code: 0, stderr: '' });
    }
  });

  it('names what it leaves out, and asks nothing about an encoding that was named', async () => {
    const folder = temporaryFolder();
    const weights = official(folder, GPT2_TOKENS, {
      'sequential.2.attention.rotary_emb.inv_freq': { shape: [1], values: Float32Array.of(1) },
    });
    const { stdout } = await tokenfuse(['convert', weights, 'out', '--encoding', 'gpt2'], folder);
    expect(stdout).toContain('warning: tensors not used: sequential.2.attention.rotary_emb.inv_freq\n');
    expect(stdout).not.toContain('--encoding');
    expect(stdout).not.toContain('padded');
  });

  it('refuses an embedding of fewer rows than the encoding has tokens', async () => {
    const folder = temporaryFolder();
    expect(await refusal(['convert', official(folder, 300), 'out'], folder, 2)).toContain(
      'its tokenizer gpt2 has 50257 tokens, its embedding only 300 rows; expected a row for each token; name its encoding',
    );
    expect(existsSync(join(folder, 'out'))).toBe(false);
  });

  it('refuses a model with an output layer of its own, by its name', async () => {
    const folder = temporaryFolder();
    const name = 'sequential.5.final_linear.weight';
    const values = new Float32Array(GPT2_TOKENS * WIDTH);
    const weights = official(folder, GPT2_TOKENS, { [name]: { shape: [GPT2_TOKENS, WIDTH], values } });
    expect(await refusal(['convert', weights, 'out'], folder, 2)).toContain(name);
  });

  it('leaves a folder with something in it as it was', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'out'));
    writeFileSync(join(folder, 'out', 'thesis.txt'), 'years of work');
    await refusal(['convert', official(folder, GPT2_TOKENS), 'out'], folder, 2);
    expect(readdirSync(join(folder, 'out'))).toEqual(['thesis.txt']);
  });
});
