import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RunError } from '#src/errors';
import { readBytes } from '#src/storage';

/** The code of every page, by file name: the two scripts that the build made, and the WebAssembly of the engine wasm. */
export function siteScripts(): Map<string, Uint8Array> {
  const here = dirname(fileURLToPath(import.meta.url));
  // Beside this file when built; a run from the sources uses what was built last.
  const built = [here, join(here, '../dist/web')].find((folder) => existsSync(join(folder, 'site', 'worker.js')));
  if (built === undefined) throw new RunError('the scripts of the page are not built; run `npm run build`');
  const backend = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'));
  const places: readonly (readonly [name: string, path: string])[] = [
    ['page.js', join(built, 'site', 'page.js')],
    ['worker.js', join(built, 'site', 'worker.js')],
    ['kernels.wasm', join(built, '..', 'src', 'engine', 'wasm', 'kernels.wasm')],
    ['tfjs-backend-wasm-simd.wasm', join(backend, 'tfjs-backend-wasm-simd.wasm')],
  ];
  return new Map(places.map(([name, path]) => [name, readBytes(path, 'script')]));
}
