/**
 * @file `npm run test:cuda`: the cuda engine in every suite that runs on it. On the emulated card, unless TOKENFUSE_TEST_CUDA=1 asks
 * for a real one; more arguments go to vitest.
 *
 * Suites of all engines name theirs (`-t cuda`); those of test/engine/cuda are of nothing else, so all of them run.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const own = 'test/engine/cuda';
const suites = /\bdescribe(EachEngine|Kernels|Compiled|Cuda)\(/;
const env = { ...process.env, TOKENFUSE_TEST_CUDA: process.env.TOKENFUSE_TEST_CUDA || 'emulated' };

const shared = readdirSync(join(root, 'test'), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
  .map((entry) => relative(root, join(entry.parentPath, entry.name)))
  .filter((file) => !file.startsWith(own) && suites.test(readFileSync(join(root, file), 'utf8')))
  .concat('test/engine/opParity.test.ts');

function vitest(...words) {
  // One card, and an emulated one that takes all processors itself.
  const always = ['vitest', 'run', '--maxWorkers', '1', '--testTimeout', '600000', ...process.argv.slice(2)];
  return spawnSync('npx', [...always, ...words], { cwd: root, env, stdio: 'inherit' }).status ?? 1;
}

const failed = [vitest(own), vitest('-t', 'cuda', ...new Set(shared))].filter((status) => status !== 0);
process.exitCode = failed.length === 0 ? 0 : 1;
