import { linkSync, readFileSync, rmSync, statSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { RunError, UserError } from '#src/errors';
import { fileStatus } from './fileStatus.js';
import { makeFolder } from './makeFolder.js';
import { bootId, HOST_ID, isAlive, processStart } from './processIdentity.js';
import { systemErrorWords } from './systemError.js';
import { clearLeftoversOf, temporaryName } from './temporaryName.js';
import { writeFailure } from './writeFailure.js';

/** Name of the lock inside a folder that is written in place. */
export const LOCK = '.lock';

/** Who holds a lock. */
const Owner = z.object({
  hostId: z.string(),
  host: z.string(),
  /** Differs after each start of the machine, where the system says so. */
  boot: z.string(),
  pid: z.int().positive(),
  /** When the process started, in the system's ticks since boot: a process id is used again. */
  processStart: z.string(),
  since: z.string(),
});
type Owner = z.output<typeof Owner>;

export interface Lock {
  /** Gives it back; calling it again does nothing. */
  release(): void;
}

/** How often the holder shows that it is alive, for machines that cannot look at its processes. */
const HEARTBEAT_MS = 30_000;
/** A lock of another machine whose holder has not shown itself for so long is left over. */
const SILENT_MS = 15 * 60_000;

/** No lock is so large. */
const MAX_LOCK_BYTES = 2 ** 16;

const held = new Set<() => void>();
process.on('exit', () => {
  for (const release of held) release();
});

/**
 * Takes the lock at `path`, a file that is made with its content in one step and removed on release. A lock is left over,
 * and taken over, when its process is gone: on this machine it is known by its id and start time; a holder on another
 * machine that shares the file system touches the file every 30 s, and is gone after 15 minutes of silence.
 *
 * @param what the folder or file that the lock is for, as the message names it
 * @throws RunError when another process holds it
 */
export function takeLock(path: string, what: string): Lock {
  const owner: Owner = {
    ...{ hostId: HOST_ID, host: hostname(), boot: bootId(), pid: process.pid },
    processStart: processStart(process.pid),
    since: new Date().toISOString(),
  };
  const content = `${JSON.stringify(owner)}\n`;
  try {
    makeFolder(dirname(path));
    // Left-over locks are taken away by one process at a time: two that both saw one must not remove each other's new lock.
    const guard = `${path}.takeover`;
    for (let attempts = 0; !makeWhole(path, content); attempts++) {
      const holder = holderOf(path);
      if (holder === undefined) continue;
      if (!isLeftOver(path, holder) || attempts >= 3) throw inUse(what, holder);
      if (!makeWhole(guard, content)) {
        const other = holderOf(guard);
        if (other !== undefined && !isLeftOver(guard, other)) throw inUse(what, other);
        rmSync(guard, { force: true });
        continue;
      }
      if (holderOf(path)?.since === holder.since) rmSync(path, { force: true });
      rmSync(guard, { force: true });
    }
    clearLeftoversOf(path);
    clearLeftoversOf(guard);
  } catch (error) {
    throw writeFailure(what, error);
  }
  const beat = setInterval(() => {
    try {
      utimesSync(path, new Date(), new Date());
    } catch {
      // Removed by the user, or the disk is gone: the run itself will say so.
    }
  }, HEARTBEAT_MS).unref();
  const release = (): void => {
    if (!held.delete(release)) return;
    clearInterval(beat);
    try {
      if (readFileSync(path, 'utf8') === content) unlinkSync(path);
    } catch {
      // Gone already, with its folder.
    }
  };
  held.add(release);
  return { release };
}

/** Makes a file that has its content from the first moment on; false when there is one. */
function makeWhole(path: string, content: string): boolean {
  const aside = temporaryName(path);
  try {
    writeFileSync(aside, content, { flag: 'wx' });
    linkSync(aside, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    if (code === undefined || !WITHOUT_LINKS.has(code)) throw error;
    return makeAtOnce(path, content);
  } finally {
    rmSync(aside, { force: true });
  }
}

/** What file systems without hard links answer. */
const WITHOUT_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'ENOSYS', 'EOPNOTSUPP', 'EMLINK']);

function makeAtOnce(path: string, content: string): boolean {
  try {
    writeFileSync(path, content, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** What a lock says to one that only looks. */
export interface LockState {
  /** Whether its process still runs; a lock that a kill or a power cut left is not held. */
  readonly held: boolean;
  /** Of the process that took it, as `process 12` or `process 12 on host`. */
  readonly holder: string;
  /** When it was taken, ISO 8601; empty where the lock is damaged. */
  readonly since: string;
}

/**
 * Looks at the lock of a folder and changes nothing.
 *
 * @returns undefined where there is none
 * @throws UserError when it cannot be read
 */
export function lockState(folder: string): LockState | undefined {
  const path = join(folder, LOCK);
  const status = fileStatus(path, 'lock');
  if (status?.isFile() !== true || status.size > MAX_LOCK_BYTES) return undefined;
  let owner: Owner | undefined;
  try {
    owner = holderOf(path);
  } catch (error) {
    throw new UserError(`cannot read lock ${path}: ${systemErrorWords(error)}`);
  }
  return owner && { held: !isLeftOver(path, owner), holder: holderName(owner), since: owner.since };
}

/** Who holds the lock; undefined when it is gone meanwhile. */
function holderOf(path: string): Owner | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return Owner.parse(JSON.parse(text));
  } catch {
    return DAMAGED;
  }
}

/** A lock cut short by a power loss. */
const DAMAGED: Owner = { hostId: '', host: '', boot: '', pid: 1, processStart: '', since: '' };

function isLeftOver(path: string, { hostId, boot, pid, processStart: started }: Owner): boolean {
  const silentMs = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0);
  // A file system without hard links shows a lock for a moment without its content.
  if (hostId === '') return silentMs > 2000;
  if (hostId !== HOST_ID) return silentMs > SILENT_MS;
  return boot !== bootId() || !isAlive(pid) || processStart(pid) !== started;
}

function inUse(what: string, owner: Owner): RunError {
  const holder = owner.hostId === '' ? holderName(owner) : `${holderName(owner)} since ${owner.since}`;
  return new RunError(`${what}: in use by ${holder}; wait until it has ended, or stop it`);
}

function holderName({ hostId, host, pid }: Owner): string {
  if (hostId === '') return 'another process';
  return host === hostname() ? `process ${pid}` : `process ${pid} on ${host}`;
}
