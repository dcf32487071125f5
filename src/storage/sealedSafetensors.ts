/** @file Safetensors files with the SHA-256 of their own bytes, by which a reader finds a flipped bit anywhere in them. */
import { createHash } from 'node:crypto';
import { UserError } from '#src/errors';
import {
  type HostTensor,
  readSafetensors,
  type SafetensorsFile,
  safetensorsChunks,
  writeSafetensors,
} from './safetensors.js';
import type { SafetensorsHeader } from './safetensorsHeader.js';

/** The key of the seal among the file's texts. */
const SEAL = 'sha256';
/** What stands in its place while the bytes are hashed. */
const BLANK = '0'.repeat(64);

/** Writes tensors and texts with a seal: the SHA-256 of the file's bytes, with zeros in the place of the seal itself. */
export function writeSealedSafetensors(
  path: string,
  tensors: ReadonlyMap<string, HostTensor>,
  metadata: Readonly<Record<string, string>>,
): void {
  const hash = createHash('sha256');
  for (const chunk of safetensorsChunks(tensors, { ...metadata, [SEAL]: BLANK })) hash.update(chunk);
  writeSafetensors(path, tensors, { ...metadata, [SEAL]: hash.digest('hex') });
}

/**
 * Reads what `writeSealedSafetensors` wrote.
 *
 * @param what such a file is, in messages: `a group file`
 * @param check may refuse the file once its header is known; that header is not yet proven
 * @throws UserError when it is not, byte by byte, as it was written
 */
export function readSealedSafetensors(
  path: string,
  what: string,
  check?: (header: SafetensorsHeader) => void,
): SafetensorsFile & { readonly header: SafetensorsHeader; readonly sha256: string } {
  const hash = createHash('sha256');
  let head: SafetensorsHeader | undefined;
  let seal = '';
  const file = readSafetensors(
    path,
    (header) => {
      head = header;
      seal = header.metadata[SEAL] ?? '';
      if (!/^[0-9a-f]{64}$/.test(seal)) throw new UserError(`${path}: expected ${what}, got tensors without a seal`);
      check?.(header);
    },
    (bytes) => {
      hash.update(seal === '' ? bytes : withoutSeal(bytes, seal));
      seal = '';
    },
  );
  const sealed = file.metadata[SEAL];
  if (hash.digest('hex') !== sealed) {
    throw new UserError(
      `${path}: damaged or edited: its content does not match the SHA-256 in it; restore it from a copy`,
    );
  }
  return { ...file, header: head as SafetensorsHeader, sha256: sealed };
}

/** The bytes of the header with zeros in the place of the seal. */
function withoutSeal(head: Uint8Array, seal: string): Uint8Array {
  const copy = Buffer.from(head);
  const at = copy.indexOf(`"${SEAL}":"${seal}"`);
  if (at >= 0) copy.write(BLANK, at + SEAL.length + 4, 'latin1');
  return copy;
}
