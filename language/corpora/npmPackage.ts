import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { printable, RunError, UserError } from '#src/errors';
import { makeFolder, readBytes, readTarIndex, writeFileAtomic } from '#src/storage';
import type { NpmSource, SourceFile } from './corpus.js';

/** Longer than a download of some ten megabytes takes on a slow line. */
const TIMEOUT_MS = 600_000;

/** No text is larger; a tarball that unpacks to more is none of ours. */
const MAX_UNPACKED_BYTES = 2 ** 28;

/** Puts the tarball of `<package>@<version>` into an empty folder. */
export type PackPackage = (spec: string, folder: string) => Promise<void>;

const run = promisify(execFile);

/** `npm pack`: npm's own registry, proxy and certificates. It neither installs nor runs anything of the package. */
export const npmPack: PackPackage = async (spec, folder) => {
  const words = [
    'pack',
    spec,
    '--pack-destination',
    folder,
    '--ignore-scripts',
    '--loglevel=error',
    '--fetch-retries=1',
  ];
  await run('npm', words, { cwd: folder, timeout: TIMEOUT_MS, shell: process.platform === 'win32' });
};

/**
 * The tarball of a package: from the cache or, the first time, through npm.
 *
 * @throws RunError when npm cannot get it; UserError when it is not the one that is expected
 */
export async function npmTarball(
  { package: name, version, integrity }: NpmSource,
  cacheDir: string,
  pack: PackPackage = npmPack,
): Promise<Buffer> {
  const spec = `${name}@${version}`;
  const path = join(cacheDir, 'packages', `${name.replace(/^@/, '').replace('/', '-')}-${version}.tgz`);
  if (existsSync(path)) {
    const kept = readBytes(path, 'package');
    if (integrityOf(kept) === integrity) return kept;
  }
  const bytes = await packed(spec, path, pack);
  const actual = integrityOf(bytes);
  if (actual !== integrity)
    throw new UserError(`${spec}: expected a tarball of ${integrity}, got ${actual}; it is not the published one`);
  makeFolder(join(cacheDir, 'packages'));
  writeFileAtomic(path, bytes);
  return bytes;
}

async function packed(spec: string, path: string, pack: PackPackage): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'tokenfuse-npm-'));
  try {
    await pack(spec, folder);
    const [tarball] = readdirSync(folder).filter((entry) => entry.endsWith('.tgz'));
    if (tarball === undefined) throw new Error('it wrote no tarball');
    return readBytes(join(folder, tarball), 'package');
  } catch (error) {
    const { code, stderr = '', message } = error as { code?: unknown; stderr?: string; message: string };
    const why =
      code === 'ENOENT' ? 'npm is not installed' : (/^npm (?:error|ERR!) code (.*)$/m.exec(stderr)?.[1] ?? message);
    throw new RunError(
      `cannot get ${spec} with npm pack (${printable(why.split('\n')[0])}); run it where the registry can be reached, or put its tarball at ${path}`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** SHA-512 as the registry writes it. */
export function integrityOf(bytes: Uint8Array): string {
  return `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
}

/** Those files of a tarball that are wanted, by their paths inside the package, in the order of these. */
export function packageFiles(tarball: Buffer, isWanted: (path: string) => boolean): SourceFile[] {
  const folder = mkdtempSync(join(tmpdir(), 'tokenfuse-tar-'));
  try {
    const archive = join(folder, 'package.tar');
    writeFileSync(archive, gunzipSync(tarball, { maxOutputLength: MAX_UNPACKED_BYTES }));
    return readTarIndex(archive)
      .map(({ name, offset, length }) => ({ path: name.replace(/^[^/]+\//, ''), member: { archive, offset, length } }))
      .filter(({ path }) => isWanted(path))
      .sort((a, b) => (a.path < b.path ? -1 : 1))
      .map(({ path, member }) => ({ path, bytes: readBytes({ path, member }, 'package') }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
