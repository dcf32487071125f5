import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { UserError } from '#src/errors';
import type { Hello, Measurement, Request } from './workload.js';

/**
 * `native` is ours, `wasm` this project's other engine; the others are peers: `pytorch` and `onednn` are Debian's packages, those
 * after them the newest releases, in the environment of bench/peers/setup.sh.
 */
export const SIDE_NAMES = [
  'native',
  'wasm',
  'pytorch',
  'onednn',
  'new-pytorch',
  'compiled-pytorch',
  'jax',
  'new-onednn',
] as const;
export type SideName = (typeof SIDE_NAMES)[number];

/** How the process of a side is started. */
export interface SideSpec {
  readonly name: SideName;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The line that carries a request. Default: JSON. */
  readonly encode?: (request: Request) => string;
}

/** A process that answers one request at a time and sleeps in between. */
export interface Side {
  readonly name: SideName;
  readonly hello: Hello;
  measure(request: Request): Promise<Measurement>;
  /** Largest resident memory so far, VmHWM of /proc; undefined where there is none. */
  peakMemoryBytes(): number | undefined;
  close(): Promise<void>;
}

/**
 * Starts a side and waits for its first line.
 *
 * @throws UserError when it dies; a peer that only lacks something says so in its `hello`
 */
export async function startSide({ name, command, args, env, encode = JSON.stringify }: SideSpec): Promise<Side> {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: 'pipe' });
  const failure = watch(child, name);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<unknown> => {
    const { value, done } = await Promise.race([lines.next(), failure]);
    if (done) return failure;
    return JSON.parse(value);
  };
  const hello = (await answer()) as Hello;
  return {
    name,
    hello,
    measure: async (request) => {
      child.stdin.write(`${encode(request)}\n`);
      return (await answer()) as Measurement;
    },
    peakMemoryBytes: () => peakMemoryBytes(child.pid as number),
    close: async () => {
      child.stdin.end();
      await failure.catch(() => undefined);
    },
  };
}

/** Rejects once the process has ended, with the line of its output that names the error, or the last one. */
function watch(child: ChildProcessWithoutNullStreams, name: SideName): Promise<never> {
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  // A write to a process that has ended is reported by its exit.
  child.stdin.on('error', () => undefined);
  const ended = new Promise<never>((_, reject) => {
    child.on('error', (error) => reject(new UserError(`bench: cannot start ${name}: ${error.message}`)));
    child.on('close', (code, signal) => {
      const lines = said.trim().split('\n');
      const why = lines.findLast((line) => /^\w*error\b/i.test(line)) ?? lines.at(-1);
      reject(new UserError(`bench: ${name} ended with ${signal ?? `exit code ${code}`}: ${why}`));
    });
  });
  ended.catch(() => undefined);
  return ended;
}

function peakMemoryBytes(pid: number): number | undefined {
  try {
    const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(kibibytes) * 1024;
  } catch {
    return undefined;
  }
}
