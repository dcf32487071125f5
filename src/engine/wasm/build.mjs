/** @file Compiles assembly/ to dist/src/engine/wasm/kernels.wasm; part of `npm run build`. */
import { mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..', '..');
const target = join(root, 'dist', 'src', 'engine', 'wasm', 'kernels.wasm');
const aside = `${target}.${process.pid}.partial`;
mkdirSync(dirname(target), { recursive: true });

const { error, stdout, stderr } = await asc.main([
  join(here, 'assembly', 'index.ts'),
  '--outFile',
  aside,
  '--importMemory',
  '--noExportMemory',
  '--runtime',
  'stub',
  '--enable',
  'simd',
  '-O3',
  '--converge',
  '--noAssert',
  // 201: a cast that only 64-bit memory needs; 112: v128 between functions, which stays inside this module.
  '--disableWarning',
  '201',
  '--disableWarning',
  '112',
]);
process.stdout.write(stdout.toString());
process.stderr.write(stderr.toString());
if (error) {
  process.stderr.write(`build: expected assembly/ to compile, got ${error.message}\n`);
  process.exitCode = 1;
} else {
  renameSync(aside, target);
}
