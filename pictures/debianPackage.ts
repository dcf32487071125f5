import { existsSync } from 'node:fs';
import { join, parse, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { UserError } from '#src/errors';
import { readBytes } from '#src/storage';

/** Files that a package of Debian has installed, or that were extracted from it. */
export interface DebianPackage {
  readonly folder: string;
  readonly version: string;
  /** The licences in full. */
  readonly licenceText?: Buffer;
  /** What to do where the files are not there. */
  readonly remedy: string;
}

/**
 * Looks for a package's files.
 *
 * @param root `/`, the folder to which `dpkg -x` has extracted the package, or the folder of its files itself
 * @param share the folder of its files below `usr/share`
 */
export function debianPackage(name: string, root: string, share: string): DebianPackage {
  const installed = join(root, 'usr/share', share);
  const doc = join(root, 'usr/share/doc', name);
  const copyright = join(doc, 'copyright');
  return {
    // The whole system is no folder of pictures.
    folder: existsSync(installed) || resolve(root) === parse(resolve(root)).root ? installed : root,
    version: versionIn(join(doc, 'changelog.Debian.gz')),
    ...(existsSync(copyright) ? { licenceText: readBytes(copyright, 'licence') } : {}),
    remedy: `apt-get install ${name}, or give --from the folder to which dpkg -x has extracted it`,
  };
}

/** The version at the head of a changelog. @throws UserError when the file is damaged */
function versionIn(changelog: string): string {
  if (!existsSync(changelog)) return 'of unknown version';
  try {
    const head = gunzipSync(readBytes(changelog, 'changelog')).subarray(0, 200).toString();
    return /\(([^)]+)\)/.exec(head)?.[1] ?? 'of unknown version';
  } catch (error) {
    throw new UserError(`${changelog}: expected a gzip file: ${(error as Error).message}; install its package anew`);
  }
}
