import { RunError, UserError } from '#src/errors';

/** What to throw after a failed write to `target`: one line for an error of the file system, any other error unchanged. */
export function writeFailure(target: string, error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof UserError || code === undefined) return error;
  const reason = code === 'ENOSPC' ? 'the disk is full: free some space and run again' : message;
  return new RunError(`cannot write ${target}: ${reason}`);
}
