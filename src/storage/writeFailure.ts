import { RunError, UserError } from '#src/errors';
import { systemErrorWords } from './systemError.js';
import { finishedName } from './temporaryName.js';

/** What to throw after a failed write to `target`: one line for an error of the file system, any other error unchanged. */
export function writeFailure(target: string, error: unknown): unknown {
  if (error instanceof UserError || (error as NodeJS.ErrnoException).code === undefined) return error;
  return new RunError(`cannot write ${finishedName(target)}: ${systemErrorWords(error)}`);
}
