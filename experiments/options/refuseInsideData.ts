import { statSync } from 'node:fs';
import { resolve, sep } from 'node:path';
import { ConfigError } from '#src/errors';

/** Keys whose folders are searched for images, captions or shards: a run inside would be taken for data. */
const SEARCHED: ReadonlySet<string> = new Set(['path', 'captions']);

/**
 * Refuses a result folder inside a folder that the experiment reads its data from.
 *
 * @param root where the experiment's paths start
 */
export function refuseInsideData(outDir: string, experiment: object, root: string): void {
  for (const { key, folder } of searchedFolders(experiment, root, '')) {
    if (!`${outDir}${sep}`.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`)) continue;
    throw new ConfigError(
      `${outDir}: lies inside ${folder}, the data of '${key}', and would be taken for a part of them; choose another --out`,
    );
  }
}

function searchedFolders(value: object, root: string, path: string): { key: string; folder: string }[] {
  return Object.entries(value).flatMap(([key, entry]) => {
    const at = path === '' ? key : `${path}.${key}`;
    if (typeof entry === 'object' && entry !== null) return searchedFolders(entry, root, at);
    if (typeof entry !== 'string' || !SEARCHED.has(key)) return [];
    const folder = resolve(root, entry);
    return statSync(folder, { throwIfNoEntry: false })?.isDirectory() ? [{ key: at, folder }] : [];
  });
}
