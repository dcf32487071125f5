import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Every entry below a folder with its time and the hash of its content: equal where nothing has changed. */
export function folderContent(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true }).map(String).sort();
  return Object.fromEntries(
    ['', ...names].map((name) => {
      const status = lstatSync(join(folder, name));
      const hash = status.isFile()
        ? createHash('sha256')
            .update(readFileSync(join(folder, name)))
            .digest('hex')
        : '';
      return [name, `${status.mtimeMs} ${status.ctimeMs} ${status.size} ${hash}`];
    }),
  );
}
