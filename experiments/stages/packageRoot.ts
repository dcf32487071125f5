import { existsSync, readFileSync } from 'node:fs';

/** The folder of package.json: two up from the sources, three up from the build. */
export const packageRoot: URL = ['../../', '../../../']
  .map((up) => new URL(up, import.meta.url))
  .find((folder) => existsSync(new URL('package.json', folder))) as URL;

/** The version of this package. */
export const packageVersion: string = (
  JSON.parse(readFileSync(new URL('package.json', packageRoot), 'utf8')) as { version: string }
).version;
