import { expect } from 'vitest';
import { UserError } from '#src/errors';

/** The message of the UserError that `work` throws, one clear line; anything else thrown, or nothing, fails the test. */
export function userErrorLine(work: () => unknown): string {
  const error = userError(work);
  expect(error.message).not.toMatch(/[\n\r]/);
  return error.message;
}

export function userError(work: () => unknown): UserError {
  try {
    work();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error;
  }
  throw new Error('expected a UserError, got none');
}
