import { expect } from 'vitest';
import { UserError } from '#src/errors';

/** The message of the UserError that `work` throws, one clear line; anything else thrown, or nothing, fails the test. */
export function userErrorLine(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return oneLine(error);
  }
  throw new Error('expected a UserError, got none');
}

/** The same of a promise. */
export async function rejectedLine(work: Promise<unknown>): Promise<string> {
  return oneLine(
    await work.then(
      () => new Error('expected a UserError, got none'),
      (error: unknown) => error,
    ),
  );
}

function oneLine(error: unknown): string {
  if (!(error instanceof UserError)) throw error;
  expect(error.message).not.toMatch(/[\n\r]/);
  return error.message;
}
