import { existsSync } from 'node:fs';

/** The folder of package.json: one up from the sources, two up from the build. */
export const packageRoot: URL = ['../', '../../']
  .map((up) => new URL(up, import.meta.url))
  .find((folder) => existsSync(new URL('package.json', folder))) as URL;
