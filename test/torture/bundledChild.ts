import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

const CHILD = join(import.meta.dirname, 'commandChild.js');
/** Kept as they are: they load files of their own. */
const EXTERNAL = /^(@tensorflow|@swc|sharp|tiktoken|webgpu)(\/|$)/;

/** Where a bundle of the command child is in a scratch folder. */
export function bundlePath(scratch: string): string {
  return join(scratch, 'commandChild.js');
}

/**
 * Writes the program that runs commands as one file, which starts twice as fast as a thousand modules do: most of the time
 * of this check is starting processes. Modules keep their places, so that files beside them are found.
 */
export async function bundleChild(scratch: string): Promise<void> {
  const bundle = await rolldown({
    input: CHILD,
    platform: 'node',
    plugins: [
      {
        name: 'places',
        resolveId: (id) => (EXTERNAL.test(id) ? { id: import.meta.resolve(id), external: 'absolute' } : undefined),
        transform: (code, id) => {
          if (!code.includes('import.meta.')) return null;
          const directory = JSON.stringify(join(id, '..'));
          return code
            .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(id).href))
            .replaceAll('import.meta.dirname', directory);
        },
      },
    ],
  });
  await bundle.write({ file: bundlePath(scratch), format: 'esm', codeSplitting: false });
  await bundle.close();
}
