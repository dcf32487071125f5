/** @file `manifest.json` of a checkpoint folder: size and SHA-256 of each of its files, and of the manifest itself. */
import { closeSync, existsSync, fstatSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { UserError } from '#src/errors';
import { openToRead, sha256 } from '#src/storage';

export const MANIFEST = 'manifest.json';

/** Larger than a manifest of a hundred thousand files; what is larger is none. */
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
  const digest = sha256(Buffer.from(JSON.stringify(content)));
  const text = `${JSON.stringify({ ...content, sha256: digest }, null, 2)}\n`;
  return { manifest: { files: new Map(sorted), sha256: digest }, text };
}

/**
 * Reads the manifest of a folder; undefined for a checkpoint without one, from an older version or another program.
 *
 * @throws UserError when it is not, byte by byte, as it was written
 */
export function readManifest(directory: string): Manifest | undefined {
  const path = join(directory, MANIFEST);
  if (!existsSync(path)) return undefined;
  const text = readText(path);
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
  if (!parsed.success) return fail('it is no list of files with their sizes and SHA-256');
  const own = manifestOf(new Map(Object.entries(parsed.data.files)));
  return own.text === text ? own.manifest : fail('its own SHA-256 does not match');
}

function readText(path: string): string {
  const descriptor = openToRead(path, 'checkpoint manifest');
  try {
    const { size } = fstatSync(descriptor);
    if (size > MAX_MANIFEST_BYTES) {
      throw new UserError(`${path}: expected at most ${MAX_MANIFEST_BYTES} bytes, got ${size}; it is no manifest`);
    }
    const bytes = Buffer.alloc(size);
    const count = readSync(descriptor, bytes, 0, size, 0);
    return bytes.toString('utf8', 0, count);
  } finally {
    closeSync(descriptor);
  }
}
