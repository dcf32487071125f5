import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FILE = 'kernels.wasm';

/** The bytes of kernels.wasm, or why there are none. */
export function readKernels(): Uint8Array | { readonly reason: string } {
  const here = dirname(fileURLToPath(import.meta.url));
  // Beside this file when built; a run from the sources uses what was built last.
  const path = [here, join(here, '../../../dist/src/engine/wasm')].map((folder) => join(folder, FILE)).find(existsSync);
  return path === undefined ? { reason: `${FILE} is not built; run \`npm run build\`` } : readFileSync(path);
}
