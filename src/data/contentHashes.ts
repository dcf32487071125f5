import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import {
  type ByteSource,
  fileOf,
  readSealedJson,
  sealed,
  sha256,
  systemErrorWords,
  writeFileAtomic,
} from '#src/storage';
import { startWork } from '#src/tracking';
import { forEachConcurrently } from './forEachConcurrently.js';
import { withFileBytes } from './withFileBytes.js';

/** File stamps and hashes, in the order of the sources that the memo is named after. */
const Memo = z.object({ stamps: z.array(z.string()), hashes: z.array(z.string()) });

/** A file written this shortly before it was hashed could change again under the same time stamp. */
const SETTLED_MS = 2000;

export interface ContentHashes {
  readonly hashes: readonly string[];
  /** Writes the memo, if there is anything new to remember. */
  remember(): void;
}

/**
 * SHA-256 of each source's content, in order; one that can't be read, or is larger than `maxBytes`, gives `unreadable: <reason>`.
 *
 * `remember` keeps them in `cacheDir` under size, inode, modification and change time of their files, so that a second run
 * over a settled data set reads no file. Any doubt (no stamp, a fresh stamp, a damaged memo) means reading it again.
 */
export async function contentHashes(
  sources: readonly ByteSource[],
  cacheDir: string,
  concurrency: number,
  maxBytes = Number.POSITIVE_INFINITY,
): Promise<ContentHashes> {
  const names = sources.map(({ path }) => path).join('\0');
  const memoPath = join(cacheDir, `hashes-${sha256(Buffer.from(names)).slice(0, 32)}.json`);
  const known = readMemo(memoPath, sources.length);
  const stamps: string[] = new Array(sources.length).fill('');
  const hashes: string[] = new Array(sources.length).fill('');
  let changed = false;
  let done = 0;
  const report = startWork('hashing images', sources.length, 'images');
  await forEachConcurrently(sources.length, concurrency, async (i) => {
    const { member } = sources[i];
    try {
      const { size, ino, mtimeNs, ctimeNs, ctimeMs } = await stat(fileOf(sources[i]), { bigint: true });
      const place = member === undefined ? '' : ` ${member.offset} ${member.length}`;
      const stamp = `${size} ${ino} ${mtimeNs} ${ctimeNs}${place}`;
      if (known?.stamps[i] === stamp) {
        hashes[i] = known.hashes[i];
        stamps[i] = stamp;
        done++;
        return;
      }
      if (Date.now() - Number(ctimeMs) > SETTLED_MS) {
        stamps[i] = stamp;
        changed = true;
      }
      hashes[i] = await withFileBytes(sources[i], maxBytes, sha256);
    } catch (error) {
      stamps[i] = '';
      hashes[i] = `unreadable: ${systemErrorWords(error)}`;
    }
    report(++done);
  });
  return {
    hashes,
    remember: () => {
      if (changed) writeFileAtomic(memoPath, JSON.stringify(sealed({ stamps, hashes })));
    },
  };
}

function readMemo(path: string, count: number): z.output<typeof Memo> | undefined {
  if (!existsSync(path)) return undefined;
  try {
    const memo = Memo.parse(readSealedJson(path, 'hashes'));
    return memo.stamps.length === count && memo.hashes.length === count ? memo : undefined;
  } catch {
    return undefined;
  }
}
