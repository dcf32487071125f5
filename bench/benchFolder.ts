import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** bench/ of the sources: the peers, README.md and results/ lie there and not in the build. */
const benchFolder: URL = ['./', '../../bench/']
  .map((path) => new URL(path, import.meta.url))
  .find((folder) => existsSync(new URL('peers/', folder))) as URL;

export function benchPath(path: string): string {
  return fileURLToPath(new URL(path, benchFolder));
}
