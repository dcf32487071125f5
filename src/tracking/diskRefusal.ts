import { UserError } from '#src/errors';

/** Runs `work` on the file at `path` and turns disk errors into a one-line UserError that names the file. */
export function orDiskRefusal<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (error instanceof UserError || code === undefined) throw error;
    const mend = code === 'ENOSPC' ? 'the disk is full: free some space and run again' : (error as Error).message;
    throw new UserError(`cannot write ${path}: ${mend}`);
  }
}
