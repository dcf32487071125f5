import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { writeMiniPipeline } from '../../support/miniPipeline.js';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { type Outcome, tokenfuseProcess } from '../../support/tokenfuse.js';
import { describeCuda } from './card.js';

/** Trains a vision backbone on the emulated card, in a process of its own. */
async function train(
  folder: string,
  environment: Readonly<Record<string, string>>,
  ...words: string[]
): Promise<Outcome> {
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  try {
    const settings = ['--set', 'training.steps=8', '--set', 'training.checkpointEvery=2', '--engine', 'cuda'];
    return await tokenfuseProcess(
      ['train', 'vision.yaml', ...settings, ...(words.includes('--out') ? [] : ['--out', 'out']), ...words],
      folder,
    );
  } finally {
    vi.unstubAllEnvs();
  }
}

/** A folder with what `train` needs. */
async function prepared(): Promise<string> {
  const folder = temporaryFolder();
  writeMiniPipeline(folder);
  expect((await tokenfuseProcess(['scenes', 'scenes.yaml'], folder)).code).toBe(0);
  return folder;
}

/** Only the emulated card is lost or full on request. Its kernels are compiled before, so that the commands find them. */
const describeEmulated = process.env.TOKENFUSE_TEST_CUDA === '1' ? describe.skip : describeCuda;

describeEmulated('training', () => {
  it('ends with one line when the card is lost, and goes on to the same bytes', { timeout: 120_000 }, async () => {
    const folder = await prepared();
    // At a kernel of the fourth step or so.
    const lost = await train(folder, { TOKENFUSE_EMULATED_LOSS: '600' });
    expect(lost.code).toBe(1);
    expect(lost.stderr).toMatch(
      /^tokenfuse: CUDA: .* no longer answers .*; training goes on from the last checkpoint with --resume\n$/,
    );
    const weights = (out: string): Buffer =>
      readFileSync(join(folder, out, 'checkpoints/step-0000008/model.safetensors'));
    expect(existsSync(join(folder, 'out/checkpoints/last.json'))).toBe(true);
    expect((await train(folder, {}, '--resume')).code).toBe(0);
    expect((await train(folder, {}, '--out', 'unbroken')).code).toBe(0);
    expect(weights('out').equals(weights('unbroken'))).toBe(true);
  });

  it('ends with one line when the card is full', { timeout: 120_000 }, async () => {
    const folder = await prepared();
    const full = await train(
      folder,
      { TOKENFUSE_EMULATED_MEMORY: '40000000' },
      '--set',
      'model.stack.ffnParamTokens=100000',
    );
    expect(full.code).toBe(1);
    expect(full.stderr).toMatch(
      /^tokenfuse: cuda engine: expected room for .* MiB more, got a card of .* in use .*\n$/,
    );
  });
});
