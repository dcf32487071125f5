import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadCudaAddon } from '../../../src/engine/cuda/runtime.js';
import { writeMiniPipeline } from '../../support/miniPipeline.js';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { tokenfuseProcess } from '../../support/tokenfuse.js';
import { emulatedAddon } from './emulatedCard.js';

/** What `train` says on the cuda engine, in a process of its own, since the card is opened once; nothing must be left. */
async function refusalOf(environment: Readonly<Record<string, string>>, ...words: string[]): Promise<string> {
  const folder = temporaryFolder();
  writeMiniPipeline(folder);
  const before = readdirSync(folder);
  const variables = { ...environment };
  const former = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  try {
    const command = ['train', 'vision.yaml', '--out', 'out', '--engine', 'cuda', ...words];
    const { code, stderr } = await tokenfuseProcess(command, folder);
    expect(code).toBe(2);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(readdirSync(folder)).toEqual(before);
    return stderr;
  } finally {
    for (const [name, value] of former) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

it.skipIf('reason' in loadCudaAddon())('a TOKENFUSE_CUDA without libraries is named, with what it lacks', async () => {
  const nowhere = temporaryFolder();
  expect(await refusalOf({ TOKENFUSE_CUDA: nowhere })).toBe(
    "tokenfuse: engine 'cuda' does not work here: no libcuda.so.1 and libnvrtc.so.13 or .12 and libcublasLt.so.13 or .12; " +
      `TOKENFUSE_CUDA=${nowhere} is the only place looked into: name the folder that has them, or unset it, or let 'auto' choose\n`,
  );
});

it.skipIf(emulatedAddon() === undefined)('settings of the kernels are refused before training starts', async () => {
  const file = join(temporaryFolder(), 'file');
  writeFileSync(file, '');
  expect(await refusalOf({ TOKENFUSE_CUDA_CACHE: file })).toContain(
    `TOKENFUSE_CUDA_CACHE: expected a folder that can be written, got '${file}' (EEXIST); name another`,
  );
  expect(await refusalOf({ TOKENFUSE_CUDA_ARCH: 'hopper' })).toContain(
    'TOKENFUSE_CUDA_ARCH: expected an architecture such as sm_',
  );
  expect(await refusalOf({ TOKENFUSE_CUDA_GRAPHS: 'no' })).toContain(
    "TOKENFUSE_CUDA_GRAPHS: expected on, off or always, got 'no'",
  );
});
