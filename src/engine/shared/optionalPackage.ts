import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

export interface InstalledPackage {
  /** The file that `require` loads. */
  readonly main: string;
  readonly version: string;
}

const require = createRequire(import.meta.url);

/** Location and version of an npm package; undefined if it is not installed. */
export function findPackage(name: string): InstalledPackage | undefined {
  let main: string;
  try {
    main = require.resolve(name);
  } catch {
    return undefined;
  }
  // A package with an `exports` map hides its package.json from `require`, so it is looked for upwards.
  for (let folder = dirname(main); folder !== dirname(folder); folder = dirname(folder)) {
    try {
      const manifest: { name?: string; version?: string } = JSON.parse(
        readFileSync(join(folder, 'package.json'), 'utf8'),
      );
      if (manifest.name === name) return { main, version: manifest.version ?? 'unknown' };
    } catch {
      // No package.json in this folder: the next one up may have it.
    }
  }
  return undefined;
}
