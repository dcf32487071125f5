import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadJointModel, mergedHashes } from '#fusion';
import { loadLanguageModel } from '#language';
import { findCheckpoint, readTrainingState, trainingHistory } from '#src/training';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { writeTinyBackbones } from '../support/tinyBackbones.js';
import { tinyBackbonesWithState } from '../support/tinyBackbonesWithState.js';
import { mergeTiny } from '../support/tinyJointModel.js';
import { writeTinyTransformer } from '../support/tinyTransformer.js';
import { refusal, tokenfuse } from '../support/tokenfuse.js';

const ENGINE = ['--engine', 'cpu'];

function folderWithBackbones(): string {
  const folder = temporaryFolder();
  writeTinyBackbones(folder);
  return folder;
}

describe('grow', () => {
  it('writes a larger model that computes the same, and says so', async () => {
    const folder = folderWithBackbones();
    const { code, stdout } = await tokenfuse(['grow', 'language', 'larger', '--factor', '2', ...ENGINE], folder);
    expect(code).toBe(0);
    expect(stdout).toMatch(/ffn +language +10 +20\n/);
    expect(stdout).toMatch(/parameters {2}[\d,]+ before, [\d,]+ after\n/);
    expect(stdout).toMatch(/function {4}logits (are equal|differ by at most \d\.\de-\d+) on random input/);
    const model = loadLanguageModel(join(folder, 'larger'));
    expect(model.config.stack.ffnParamTokens).toBe(20);
    model.dispose();
    const again = await tokenfuse(['grow', 'language', 'again', '--factor', '2', ...ENGINE, '--json'], folder);
    const { functionChange } = JSON.parse(again.stdout);
    expect(functionChange.largest).toBeLessThan(1e-6 * functionChange.scale);
    const official = ['grow', 'vision', 'official', '--factor', '2', '--policy', 'official', ...ENGINE, '--json'];
    const changed = JSON.parse((await tokenfuse(official, folder)).stdout).functionChange;
    expect(changed.largest).toBeGreaterThan(1e-3 * changed.scale);
  });

  it('of a merged model leaves hashes that the next command checks', async () => {
    const folder = folderWithBackbones();
    mergeTiny(folder);
    const words = ['grow', 'merged', 'larger', '--tokens', 'query=3,ffn=8', '--policy', 'group', ...ENGINE];
    expect(await refusal(words, folder, 2)).toContain('--backbone: expected vision or language');
    expect((await tokenfuse([...words, '--backbone', 'vision'], folder)).code).toBe(0);
    loadJointModel(join(folder, 'larger')).dispose();
    expect(mergedHashes(join(folder, 'larger'))!.has('block0/ffn/vision.grown1/keyParamTokens')).toBe(true);
    const { code, stdout } = await tokenfuse(['unmerge', 'larger', 'parts'], folder);
    expect(code).toBe(0);
    expect(stdout).toMatch(/\d+ tensors equal to those merged, by SHA-256/);
  });

  it('keeps the optimizer when asked to, with zeros for what is new', async () => {
    const folder = temporaryFolder();
    tinyBackbonesWithState(folder);
    const words = ['grow', 'language', 'larger', '--factor', '2', '--optimizer', 'keep', ...ENGINE];
    expect((await tokenfuse(words, folder)).code).toBe(0);
    const { optimizer, state } = readTrainingState(join(folder, 'larger'));
    expect(state.step).toBe(7);
    const { shape, values } = optimizer.get('block0/ffn/language/keyParamTokens/adamM')!;
    expect(shape).toEqual([20, 8]);
    expect(values.slice(0, 80).every((value) => value !== 0)).toBe(true);
    expect(values.slice(80).every((value) => value === 0)).toBe(true);
  });

  it('takes over what training cost, with the optimizer or without', async () => {
    const folder = temporaryFolder();
    tinyBackbonesWithState(folder);
    const words = ['grow', 'language', 'larger', '--factor', '2', ...ENGINE];
    expect((await tokenfuse(words, folder)).code).toBe(0);
    expect(readdirSync(join(folder, 'larger'))).not.toContain('optimizer.safetensors');
    expect(trainingHistory(join(folder, 'larger'))).toEqual(trainingHistory(findCheckpoint(join(folder, 'language'))));
  });

  it('of a Transformer says its sizes before and after', async () => {
    const folder = temporaryFolder();
    writeTinyTransformer(folder);
    const words = ['grow', 'transformer', 'larger', '--policy', 'net2net', '--factor', '2', ...ENGINE];
    const { code, stdout } = await tokenfuse(words, folder);
    expect(code).toBe(0);
    expect(stdout).toMatch(/features +8 +16\n *heads +2 +4\n *hidden units +12 +24\n *blocks +2 +2\n/);
    expect(await refusal([...words.slice(0, 2), 'other', '--factor', '2', ...ENGINE], folder, 2)).toContain(
      'policy: expected net2net, eq13, stack',
    );
  });

  it('refuses what it cannot do in one line, and writes nothing then', async () => {
    const folder = folderWithBackbones();
    mergeTiny(folder);
    const before = readdirSync(folder).sort();
    const refused = (words: string[], out = 'out'): Promise<string> =>
      refusal(['grow', words[0], out, ...words.slice(1), ...ENGINE], folder, 2);
    expect(await refused(['language'])).toContain('expected --factor, --tokens, --layers or --hidden');
    expect(await refused(['language', '--factor', '1'])).toContain('factor');
    expect(await refused(['language', '--factor', 'two'])).toContain("--factor: expected a number, got 'two'");
    expect(await refused(['language', '--tokens', 'mlp=3'])).toContain("got 'mlp=3'");
    expect(await refused(['language', '--tokens', 'ffn=3,ffn=4'])).toContain('each layer once');
    expect(await refused(['language', '--factor', '2', '--tokens', 'ffn=3'])).toContain('got both');
    expect(await refused(['language', '--factor', '2', '--policy', 'copy'])).toContain('policy');
    expect(await refused(['language', '--factor', '2', '--backbone', 'vision'])).toContain('leave it out');
    expect(await refused(['language', '--factor', '2', '--optimizer', 'keep'])).toContain(
      'has no optimizer.safetensors',
    );
    expect(await refused(['merged', '--layers', '1', '--backbone', 'vision'])).toContain(
      'grow the backbone, then merge',
    );
    expect(await refused(['language', '--factor', '2'], 'vision')).toContain('--overwrite');
    expect(readdirSync(folder).sort()).toEqual(before);
    rmSync(join(folder, 'language', 'manifest.json'));
    rmSync(join(folder, 'language', 'model.safetensors'));
    expect(await refused(['language', '--factor', '2'])).toContain('model.safetensors');
  });
});
