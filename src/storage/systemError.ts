import { printable, RunError, UserError } from '#src/errors';

/** What the codes of system calls mean to a user, and what to do where something can be done. */
const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  ENOTDIR: 'a part of its path is a file, not a folder',
  EISDIR: 'is a folder',
  EEXIST: 'exists already',
  ENOTEMPTY: 'the folder is not empty',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the disk is read-only',
  ENOSPC: 'the disk is full: free some space and run again',
  EDQUOT: 'the disk quota is used up: free some space and run again',
  EFBIG: 'the file would be larger than this disk or account allows',
  EIO: 'the disk reports an input/output error',
  EMFILE: 'too many open files: raise the limit with ulimit -n',
  ENFILE: 'too many open files on this machine',
  ENOMEM: 'not enough memory',
  EBUSY: 'is in use',
  ETXTBSY: 'is in use',
  ELOOP: 'symbolic links that lead in a circle',
  ENAMETOOLONG: 'the name is too long',
  EXDEV: 'is on another disk',
  ENXIO: 'is a socket or a device that does not answer; expected a regular file',
  ENODEV: 'is a device that does not answer; expected a regular file',
  ESTALE: 'the network file system has lost it',
  ETIMEDOUT: 'the network file system does not answer',
  EPIPE: 'the other end of the pipe is closed',
  EINVAL: 'the file system does not allow this',
  ENOTSUP: 'the file system does not allow this',
  EAGAIN: 'is not ready; expected a regular file',
  ERR_MEMORY_ALLOCATION_FAILED: 'not enough memory',
};

/** Codes that do not come from what the user gave: the machine refused. */
const MACHINE = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EMFILE', 'ENFILE', 'ENOMEM', 'EROFS', 'ESTALE', 'ETIMEDOUT']);

/**
 * Why a file operation failed, in plain words and without the path: that of a system call by its code, never the text of
 * Node; of any other error its first line.
 */
export function systemErrorWords(error: unknown): string {
  const { code, message = String(error), syscall, path } = error as NodeJS.ErrnoException;
  if (hasNullCharacter(error)) return 'the name holds a null character';
  // Node reads other bytes in a name as U+FFFD, by which the file is not found again.
  if (code === 'ENOENT' && path?.includes('\uFFFD')) return 'no such file; rename it if its name is not UTF-8';
  if (code === 'ENOENT' && syscall === 'scandir') return 'no such folder';
  if (code !== undefined && Object.hasOwn(WORDS, code)) return WORDS[code];
  if (code !== undefined && /^E[A-Z\d]+$/.test(code)) return `the system says ${code}`;
  return printable(message.split('\n')[0]);
}

/** Whether a system call failed, or Node refused a name from a file. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  if (!(error instanceof Error)) return false;
  const { code, syscall } = error as NodeJS.ErrnoException;
  return (typeof code === 'string' && typeof syscall === 'string') || hasNullCharacter(error);
}

function hasNullCharacter(error: unknown): boolean {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'ERR_INVALID_ARG_VALUE' && /null bytes/.test(message);
}

/** The line for an error of a system call that nothing else has put into words; undefined for any other error. */
export function systemFailure(error: unknown): UserError | undefined {
  if (!isSystemError(error)) return undefined;
  const line = `${error.path === undefined ? '' : `${error.path}: `}${systemErrorWords(error)}`;
  return MACHINE.has(error.code ?? '') ? new RunError(line) : new UserError(line);
}
