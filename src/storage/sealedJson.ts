import { UserError } from '#src/errors';
import { writeJsonAtomic } from './atomicWrite.js';
import { readJson, sha256 } from './readFile.js';

/** An object as JSON with the SHA-256 of the rest of it, by which a reader finds a flipped bit. */
export function sealed<T extends object>(value: T): T & { readonly sha256: string } {
  return { ...value, sha256: sha256(Buffer.from(JSON.stringify(value))) };
}

/** `writeJsonAtomic` of a sealed object. */
export function writeSealedJson(path: string, value: object): void {
  writeJsonAtomic(path, sealed(value));
}

/**
 * Reads a sealed object, parsed but not validated: pass the result through a schema.
 *
 * @throws UserError when it is not what was written
 */
export function readSealedJson(path: string, purpose: string): object {
  return unsealed(readJson(path, purpose), path, purpose);
}

/** The object without its seal. @throws UserError when the seal is not that of the object */
export function unsealed(value: unknown, path: string, purpose: string): object {
  if (typeof value !== 'object' || value === null) {
    throw new UserError(`cannot read ${purpose} ${path}: expected a JSON object, got something else`);
  }
  const { sha256: seal, ...rest } = value as { readonly sha256?: unknown };
  if (seal !== sealed(rest).sha256) {
    throw new UserError(`${path}: damaged or edited: its content does not match the SHA-256 in it`);
  }
  return rest;
}

/** `unsealed` of a value that may be of an earlier version, which wrote no seals: that is taken as it is. */
export function unsealedOrOld(value: unknown, path: string, purpose: string): unknown {
  const hasSeal = typeof value === 'object' && value !== null && Object.hasOwn(value, 'sha256');
  return hasSeal ? unsealed(value, path, purpose) : value;
}
