import { writeFailure } from '#src/storage';

/** Runs `work` on the file at `path` and turns disk errors into a one-line UserError that names the file. */
export function orDiskRefusal<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw writeFailure(path, error);
  }
}
