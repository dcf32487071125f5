import { createHash, timingSafeEqual } from 'node:crypto';
import { UserError } from '#src/errors';
import { readText } from '#src/storage';

/**
 * The secret that client and server share, from a file or the environment; never from the command line, which every user of a
 * machine can read.
 *
 * @param variable of the environment, where no file is given
 * @throws UserError for one that is too short or not fit for a header
 */
export function readToken(file: string | undefined, variable: string): string | undefined {
  const text = file === undefined ? process.env[variable] : readText(file, 'token', 4096);
  if (text === undefined) return undefined;
  const token = text.trim();
  if (/^[\x21-\x7e]{16,512}$/.test(token)) return token;
  throw new UserError(
    `${file ?? variable}: expected a token of 16 to 512 letters, digits and signs without spaces, got ${token.length} characters; make one with: openssl rand -hex 32`,
  );
}

/** The header by which a client shows its token. */
export function authorization(token: string): string {
  return `Bearer ${token}`;
}

/** Whether a header shows the token; takes the same time wherever they differ. */
export function isAuthorized(header: string | undefined, token: string | undefined): boolean {
  if (token === undefined) return true;
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(header ?? ''), digest(authorization(token)));
}
