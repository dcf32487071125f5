import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readSafetensors, sha256 } from '#src/storage';

/** Files that say when or how fast, which no two runs share; of them only the names count. */
const TIMED = /(^|\/)(timing\.jsonl|provenance\.json)$/;
/** Files whose names hold a time, or that exist only if a file was old enough. */
const UNCOUNTED = /(^|\/)(events\/events\.out\.|hashes-[0-9a-f]+\.json$)/;
/** Names of what is being written, or is about to be removed. */
const TEMPORARY = /\.(tmp|partial|old|merge|lock)(\/|\.|$)|(^|\/)\.kept-/;

/** Every regular file below a folder, as relative paths. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

/** Relative path to what must be equal after every run of a command. */
export type FolderContent = ReadonlyMap<string, string>;

export function folderContent(folder: string): FolderContent {
  const entries = filesBelow(folder)
    .filter((path) => !UNCOUNTED.test(path))
    .map((path): [string, string] => [path, TIMED.test(path) ? 'timed' : contentOf(folder, path)]);
  return new Map(entries);
}

/** Durations, time stamps and where the folder is are not compared; a page repeats what is in other files. */
function contentOf(folder: string, path: string): string {
  if (path.endsWith('.html')) return 'page';
  const bytes = readFileSync(join(folder, path));
  if (!/(evaluation|summary|record|traces)\.json$/.test(path)) return sha256(bytes);
  const value: unknown = JSON.parse(bytes.toString('utf8'), withoutTimes);
  return sha256(Buffer.from(JSON.stringify(value).replaceAll(folder, '')));
}

function withoutTimes(key: string, value: unknown): unknown {
  return /seconds|minutes|Time$|^created|^date|peakMemory|provenance|^sha256$/i.test(key) ? undefined : value;
}

/** What differs from the content expected, one phrase each. */
export function differences(expected: FolderContent, found: FolderContent): string[] {
  const missing = [...expected.keys()].filter((path) => !found.has(path)).map((path) => `${path} is missing`);
  const extra = [...found.keys()].filter((path) => !expected.has(path)).map((path) => `${path} is left over`);
  const changed = [...expected]
    .filter(([path, content]) => found.has(path) && found.get(path) !== content)
    .map(([path]) => `${path} differs`);
  return [...missing, ...extra, ...changed];
}

/** Files under a final name that are not whole: JSON that does not parse, tensors that do not open, pointers to nothing. */
export function brokenFiles(folder: string): string[] {
  return filesBelow(folder)
    .filter((path) => !TEMPORARY.test(path))
    .flatMap((path) => {
      const why = whyBroken(join(folder, path));
      return why === undefined ? [] : [`${path} ${why}`];
    });
}

function whyBroken(path: string): string | undefined {
  try {
    if (path.endsWith('.safetensors')) readSafetensors(path);
    if (path.endsWith('.jsonl')) {
      // The last line may be cut short: whoever goes on removes it.
      for (const line of readFileSync(path, 'utf8').split('\n').slice(0, -1)) JSON.parse(line);
    }
    if (path.endsWith('.json')) {
      const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
      if (/checkpoints\/(last|best)\.json$/.test(path)) {
        const { directory } = value as { directory: string };
        const target = join(path, '..', directory);
        if (!statSync(join(target, 'model.json')).isFile()) return `points at ${directory}, which is not there`;
      }
    }
    return undefined;
  } catch (error) {
    return `is not whole: ${(error as Error).message.split('\n')[0]}`;
  }
}

/** What a command that failed in order should have removed. */
export function temporaryFiles(folder: string): string[] {
  return filesBelow(folder).filter((path) => TEMPORARY.test(path));
}
