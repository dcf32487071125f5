import { existsSync, readFileSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { sha256, writeFileAtomic } from '#src/storage';
import { forEachConcurrently } from './forEachConcurrently.js';

/** File stamps and hashes, in the order of the paths that the memo is named after. */
const Memo = z.object({ stamps: z.array(z.string()), hashes: z.array(z.string()) });

/** A file written this shortly before it was hashed could change again under the same time stamp. */
const SETTLED_MS = 2000;

export interface ContentHashes {
  readonly hashes: readonly string[];
  /** Writes the memo, if there is anything new to remember. */
  remember(): void;
}

/**
 * SHA-256 of each file's content, in order; a file that can't be read gives `unreadable: <reason>`.
 *
 * `remember` keeps them in `cacheDir` under size, inode, modification and change time, so that a second run over a
 * settled data set reads no file. Any doubt (no stamp, a fresh stamp, a damaged memo) means reading the file again.
 */
export async function contentHashes(
  paths: readonly string[],
  cacheDir: string,
  concurrency: number,
): Promise<ContentHashes> {
  const memoPath = join(cacheDir, `hashes-${sha256(Buffer.from(paths.join('\0'))).slice(0, 32)}.json`);
  const known = readMemo(memoPath, paths.length);
  const stamps: string[] = new Array(paths.length).fill('');
  const hashes: string[] = new Array(paths.length).fill('');
  let changed = false;
  await forEachConcurrently(paths.length, concurrency, async (i) => {
    try {
      const { size, ino, mtimeNs, ctimeNs, ctimeMs } = await stat(paths[i], { bigint: true });
      const stamp = `${size} ${ino} ${mtimeNs} ${ctimeNs}`;
      if (known?.stamps[i] === stamp) {
        hashes[i] = known.hashes[i];
        stamps[i] = stamp;
        return;
      }
      if (Date.now() - Number(ctimeMs) > SETTLED_MS) {
        stamps[i] = stamp;
        changed = true;
      }
      hashes[i] = sha256(await readFile(paths[i]));
    } catch (error) {
      stamps[i] = '';
      hashes[i] = `unreadable: ${readFailure(error)}`;
    }
  });
  return {
    hashes,
    remember: () => {
      if (changed) writeFileAtomic(memoPath, JSON.stringify({ stamps, hashes }));
    },
  };
}

/** Why a file could not be read, without its path. */
export function readFailure(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'no such file';
  if (code === 'EISDIR') return 'is a folder';
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied';
  return code ?? message;
}

function readMemo(path: string, count: number): z.output<typeof Memo> | undefined {
  if (!existsSync(path)) return undefined;
  try {
    const memo = Memo.parse(JSON.parse(readFileSync(path, 'utf8')));
    return memo.stamps.length === count && memo.hashes.length === count ? memo : undefined;
  } catch {
    return undefined;
  }
}
