import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '#src/errors';

type Bytes = Uint8Array<ArrayBuffer>;

/** Compiled kernels kept from one run to the next. */
export interface CubinCache {
  /** What was kept under the key; undefined when it is not there, or damaged. */
  read(key: readonly string[]): Bytes | undefined;
  /** Keeps it; where the folder cannot be written, nothing is kept. */
  write(key: readonly string[], cubin: Bytes): void;
}

/** Of other versions and cards, so many are kept. */
const MOST_ENTRIES = 12;
const DIGEST_BYTES = 32;
const ENTRY = /^[0-9a-f]{64}\.cubin$/;

/** TOKENFUSE_CUDA_CACHE, or a folder among the user's caches. */
export function cacheFolder(
  env: Readonly<Record<string, string | undefined>> = process.env,
  home = os.homedir(),
): string {
  if (env.TOKENFUSE_CUDA_CACHE) return env.TOKENFUSE_CUDA_CACHE;
  return join(env.XDG_CACHE_HOME || join(home, '.cache'), 'tokenfuse', 'cuda');
}

/**
 * Refuses a folder that TOKENFUSE_CUDA_CACHE names and nothing can be kept in, since every start would then compile; one that
 * may only be read will do if there are kernels in it. The folder that is taken without it may be missing.
 *
 * @throws ConfigError
 */
export function checkCacheFolder(env: Readonly<Record<string, string | undefined>> = process.env): void {
  const folder = env.TOKENFUSE_CUDA_CACHE;
  if (!folder) return;
  let code: string | undefined;
  try {
    mkdirSync(folder, { recursive: true });
    if (readdirSync(folder).some((name) => ENTRY.test(name))) return;
    accessSync(folder, constants.W_OK);
    return;
  } catch (error) {
    ({ code } = error as NodeJS.ErrnoException);
  }
  throw new ConfigError(
    `TOKENFUSE_CUDA_CACHE: expected a folder that can be written, got '${folder}' (${code}); name another, or unset it for ` +
      cacheFolder({ ...env, TOKENFUSE_CUDA_CACHE: undefined }),
  );
}

/** A file for each key, with a digest of its contents before them; written aside and renamed, so that none is ever half there. */
export function createCubinCache(folder: string): CubinCache {
  const fileOf = (key: readonly string[]): string =>
    join(folder, `${digest(JSON.stringify(key)).toString('hex')}.cubin`);
  return {
    read: (key) => {
      try {
        const file = fileOf(key);
        const bytes = new Uint8Array(readFileSync(file));
        const cubin = bytes.slice(DIGEST_BYTES);
        if (cubin.length === 0 || !digest(cubin).equals(bytes.subarray(0, DIGEST_BYTES))) return undefined;
        touch(file);
        return cubin;
      } catch {
        return undefined;
      }
    },
    write: (key, cubin) => {
      const file = fileOf(key);
      const aside = `${file}.${process.pid}.partial`;
      try {
        mkdirSync(folder, { recursive: true });
        writeFileSync(aside, Buffer.concat([digest(cubin), cubin]));
        renameSync(aside, file);
        dropOldest(folder);
      } catch {
        remove(aside);
      }
    },
  };
}

function digest(content: string | Bytes): Buffer {
  return createHash('sha256').update(content).digest();
}

function touch(file: string): void {
  const now = new Date();
  try {
    utimesSync(file, now, now);
  } catch {
    // Another's file: its age is not ours to change.
  }
}

function remove(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // Not even looked for: what should be its folder is none.
  }
}

function dropOldest(folder: string): void {
  const entries = readdirSync(folder)
    .filter((name) => ENTRY.test(name))
    .map((name) => ({ file: join(folder, name), used: statSync(join(folder, name)).mtimeMs }))
    .sort((a, b) => b.used - a.used);
  for (const { file } of entries.slice(MOST_ENTRIES)) rmSync(file, { force: true });
}
