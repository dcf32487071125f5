import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FILE = 'additions.cjs';

/**
 * Adds what `@tensorflow/tfjs-core` leaves to the package `@tensorflow/tfjs`: the cpu backend, the gradients of operations, and
 * operations as methods of tensors (`x.add(y)`). tfjs-core must be loaded before.
 *
 * @throws Error when `npm run build` has not bundled them
 */
export function addToCore(): void {
  const here = dirname(fileURLToPath(import.meta.url));
  // Beside this file when built; a run from the sources uses what was built last.
  const path = [here, join(here, '..', '..', '..', 'dist', 'src', 'engine', 'coreAdditions')]
    .map((folder) => join(folder, FILE))
    .find(existsSync);
  if (path === undefined) throw new Error(`${FILE} is not built; run \`npm run build\``);
  const require = createRequire(import.meta.url);
  require('@tensorflow/tfjs-backend-cpu');
  require(path);
}
