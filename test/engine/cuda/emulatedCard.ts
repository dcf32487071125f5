import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { CudaAddon } from '../../../src/engine/cuda/addon.js';
import { loadCudaAddon } from '../../../src/engine/cuda/runtime.js';

const script = fileURLToPath(new URL('emulator/build.mjs', import.meta.url));

/**
 * The addon with the emulated card in the place of NVIDIA's libraries (TOKENFUSE_CUDA is set from here on); undefined, with a
 * line that says why, where there is no addon or no compiler.
 */
export function emulatedAddon(): CudaAddon | undefined {
  const addon = loadCudaAddon();
  if ('reason' in addon) {
    process.stdout.write(`tests on the emulated card are left out: ${addon.reason}\n`);
    return undefined;
  }
  const printed = execFileSync(process.execPath, [script], { encoding: 'utf8' }).trim();
  const folder = /(?:up to date in|compiled in \d+ s to) (.*)$/.exec(printed)?.[1];
  if (folder === undefined) {
    process.stdout.write(`tests on the emulated card are left out: ${printed}\n`);
    return undefined;
  }
  process.env.TOKENFUSE_CUDA = folder;
  return addon;
}
