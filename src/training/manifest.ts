/** @file `manifest.json` of a checkpoint folder: size and SHA-256 of each of its files, and of the manifest itself. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { UserError } from '#src/errors';
import { jsonText, readBytes, sealed } from '#src/storage';

export const MANIFEST = 'manifest.json';

/** Enough for a hundred thousand files. */
const MAX_MANIFEST_BYTES = 16_000_000;

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const FileDigest = z.strictObject({ bytes: z.int().min(0), sha256: Sha256 });
export type FileDigest = z.output<typeof FileDigest>;

const ManifestFile = z.strictObject({
  format: z.literal(1),
  files: z.record(z.string().regex(/^(?!\.{1,2}$)[^/\\\0]+$/), FileDigest),
  sha256: Sha256,
});

/** What a manifest says. */
export interface Manifest {
  readonly files: ReadonlyMap<string, FileDigest>;
  /** Of format and files; pointers to the checkpoint repeat it. */
  readonly sha256: string;
}

/** The manifest of files, and the text of it: equal files give equal bytes. */
export function manifestOf(files: ReadonlyMap<string, FileDigest>): { manifest: Manifest; text: string } {
  const sorted = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
  const content = {
    format: 1,
    files: Object.fromEntries(sorted.map(([name, { bytes, sha256: digest }]) => [name, { bytes, sha256: digest }])),
  };
  const file = sealed(content);
  return { manifest: { files: new Map(sorted), sha256: file.sha256 }, text: jsonText(file) };
}

/**
 * Reads the manifest of a folder; undefined for a checkpoint without one, from an older version or another program.
 *
 * @throws UserError when it is not, byte by byte, as it was written
 */
export function readManifest(directory: string): Manifest | undefined {
  const path = join(directory, MANIFEST);
  if (!existsSync(path)) return undefined;
  // Bytes that are not UTF-8, a byte order mark among them, become other ones in `text`.
  const text = readBytes(path, 'checkpoint manifest', { maxBytes: MAX_MANIFEST_BYTES }).toString('utf8');
  const fail = (why: string): never => {
    throw new UserError(`${path}: damaged: ${why}; --no-verify reads the checkpoint without it`);
  };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return fail('it is not JSON');
  }
  const parsed = ManifestFile.safeParse(json);
  if (!parsed.success) return fail('expected a list of files with their sizes and SHA-256');
  const own = manifestOf(new Map(Object.entries(parsed.data.files)));
  return own.text === text ? own.manifest : fail('its own SHA-256 does not match');
}
