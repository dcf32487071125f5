import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** No run has so many files. */
const MAX_ENTRIES = 10_000;

/** The bytes of all files in a folder and below it, links not followed; null for a folder of more files than a run has. */
export function folderBytes(path: string): number | null {
  const open = [path];
  let [bytes, entries] = [0, 0];
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    for (const entry of entriesOf(folder)) {
      if (++entries > MAX_ENTRIES) return null;
      if (entry.isDirectory()) open.push(join(folder, entry.name));
      else if (entry.isFile()) bytes += lstatSync(join(folder, entry.name), { throwIfNoEntry: false })?.size ?? 0;
    }
  }
  return bytes;
}

/** None where a run that is at work has taken the folder away meanwhile. */
function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}
