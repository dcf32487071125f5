import { createHash, type Hash } from 'node:crypto';
import { closeSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '#src/errors';
import {
  containedFile,
  type HostTensor,
  openToRead,
  readBytes,
  readSafetensors,
  type SafetensorsHeader,
} from '#src/storage';
import { valueProblems } from '#src/tokenformer';
import { type FileDigest, MANIFEST, readManifest } from './manifest.js';

/** The files that every checkpoint, or every one that training resumes from, has; any other travels with the model. */
export const MODEL_FILES = [
  'model.safetensors',
  'model.json',
  'optimizer.safetensors',
  'teacher.safetensors',
  'state.json',
  MANIFEST,
];

const CHUNK_BYTES = 1 << 20;

let verifying = true;

/** From here on, files of checkpoints are not compared with their manifests: `--no-verify`. */
export function skipVerification(): void {
  verifying = false;
}

/** Whether files of checkpoints are compared with their manifests. */
export function isVerifying(): boolean {
  return verifying;
}

/** A checkpoint's files. What is read is compared with the manifest on the way, so that each file is read once. */
export interface CheckpointFolder {
  readonly directory: string;
  /** Files that travel with the model: those of the manifest; in a folder without one, the regular files in it. */
  readonly assetNames: readonly string[];
  /** Whether there is a file of that name; with a manifest, one that it lists. */
  has(name: string): boolean;
  /** The path of a file. @throws UserError when it is missing, lies outside of the folder, or is not in the manifest */
  pathOf(name: string, purpose: string): string;
  /** @throws UserError as `pathOf`, and when the file differs from the manifest */
  readBytes(name: string, purpose: string): Buffer;
  /** Compares the sizes of all files with the manifest, without reading them. */
  verifySizes(): void;
  /**
   * Float32 tensors, all finite.
   *
   * @param check may refuse the file once its header is known
   */
  readTensors(name: string, check?: (header: SafetensorsHeader) => void): Map<string, HostTensor>;
  /** Compares the files that were not read: nothing in a damaged checkpoint can be trusted. */
  verifyOthers(): void;
}

/** @throws UserError when its manifest is damaged */
export function openCheckpointFolder(directory: string): CheckpointFolder {
  const manifest = verifying ? readManifest(directory) : undefined;
  const verified = new Set<string>();
  const names = manifest ? [...manifest.files.keys()] : regularFiles(directory);

  const pathOf = (name: string, purpose: string): string => {
    const path = containedFile(directory, name, purpose);
    if (manifest && !manifest.files.has(name)) {
      throw new UserError(`${path}: expected a file that ${MANIFEST} lists, it does not`);
    }
    return path;
  };
  const refuseOtherSize = (path: string, listed: FileDigest | undefined): void => {
    const { size } = statSync(path);
    if (listed && listed.bytes !== size) throw damage(path, `it has ${size} bytes, ${MANIFEST} says ${listed.bytes}`);
  };
  /** The bytes that `read` passes on must have the hash that the manifest gives. */
  const verifiedRead = <T>(name: string, purpose: string, read: (path: string, hash: Hash | undefined) => T): T => {
    const path = pathOf(name, purpose);
    const listed = manifest?.files.get(name);
    refuseOtherSize(path, listed);
    const hash = listed && createHash('sha256');
    const result = read(path, hash);
    if (hash && hash.digest('hex') !== listed?.sha256) {
      throw damage(path, `its SHA-256 is not the one in ${MANIFEST}`);
    }
    verified.add(name);
    return result;
  };

  return {
    directory,
    assetNames: names.filter((name) => !MODEL_FILES.includes(name)),
    has: (name) => names.includes(name),
    pathOf,
    readBytes: (name, purpose) =>
      verifiedRead(name, purpose, (path, hash) => {
        const bytes = readBytes(path, purpose);
        hash?.update(bytes);
        return bytes;
      }),
    verifySizes: () => {
      for (const [name, listed] of manifest?.files ?? []) refuseOtherSize(pathOf(name, 'checkpoint file'), listed);
    },
    readTensors: (name, check) => {
      const { tensors } = verifiedRead(name, 'tensors', (path, hash) =>
        readSafetensors(path, check, hash && ((bytes) => void hash.update(bytes))),
      );
      const problems = valueProblems(join(directory, name), tensors);
      if (problems.length > 0) throw new UserError(problems.join('\n'));
      return tensors;
    },
    verifyOthers: () => {
      for (const name of manifest?.files.keys() ?? []) {
        if (verified.has(name)) continue;
        verifiedRead(name, 'checkpoint file', (path, hash) => hashFile(path, 'checkpoint file', hash));
      }
    },
  };
}

function damage(path: string, why: string): UserError {
  return new UserError(`${path}: damaged: ${why}; restore it from a copy, or read it as it is with --no-verify`);
}

function regularFiles(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => (entry.isFile() ? [entry.name] : []));
}

/** Hashes a file piece by piece: it may be larger than the model in memory. */
function hashFile(path: string, purpose: string, hash: Hash | undefined): void {
  const { descriptor, bytes } = openToRead(path, purpose);
  try {
    const buffer = new Uint8Array(Math.min(CHUNK_BYTES, Math.max(1, bytes)));
    for (;;) {
      const count = readSync(descriptor, buffer, 0, buffer.length, null);
      if (count === 0) return;
      hash?.update(buffer.subarray(0, count));
    }
  } finally {
    closeSync(descriptor);
  }
}
