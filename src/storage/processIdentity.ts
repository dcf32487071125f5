/** @file Whether a process is still the one that it was: a process id is used again. */
import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * Identifies this machine, and in a container its processes' name space: process ids are only comparable where it is the same.
 */
export const HOST_ID = createHash('sha256')
  .update([hostname(), readOr('/etc/machine-id', '').split('\n')[0], processNamespace()].join('\n'))
  .digest('hex')
  .slice(0, 8);

/** Whether a process of this machine runs. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Differs after each start of the machine, where the system says so. */
export function bootId(): string {
  return readOr('/proc/sys/kernel/random/boot_id', '').trim();
}

/**
 * When a process started, in the system's ticks since boot; empty where the system does not say so. It is the 22nd field of
 * /proc/<pid>/stat; the name in parentheses before it may hold blanks.
 */
export function processStart(pid: number): string {
  const stat = readOr(`/proc/${pid}/stat`, '');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

/** Four hexadecimal digits that tell a process from an earlier one of the same id. */
export function processMark(pid: number): string {
  return createHash('sha256')
    .update(`${bootId()}\n${processStart(pid)}`)
    .digest('hex')
    .slice(0, 4);
}

function processNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
}
