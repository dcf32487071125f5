import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { bundlePath } from './bundledChild.js';
import { FaultControl } from './faultControl.js';

/** What a command said; without an exit code when its process was killed. */
export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that takes longer hangs: the slowest takes some ten seconds. */
const LIMIT_MS = 180_000;

let serial = 0;

/** A process of its own group that runs one command after another. Starting it takes longer than most commands do. */
export class CommandProcess {
  readonly faults: FaultControl | undefined;
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;

  private constructor(child: ChildProcess, faults: FaultControl | undefined) {
    this.#child = child;
    this.faults = faults;
    this.#closed = once(child, 'close');
  }

  /**
   * @param scratch the folder with the bundled child
   * @param library of faults.c; without it no call can be broken
   */
  static async start(scratch: string, library: string | undefined): Promise<CommandProcess> {
    const control = join(scratch, `control-${++serial}`);
    const faults = library === undefined ? undefined : new FaultControl(control, library);
    const child = fork(bundlePath(scratch), {
      env: { ...process.env, ...faults?.environment() },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      detached: true,
    });
    await Promise.race([
      once(child, 'message'),
      once(child, 'close').then(() => {
        throw new Error('a command process ended before it was ready');
      }),
    ]);
    return new CommandProcess(child, faults);
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** Runs a command in a folder; resolves too when the process is killed meanwhile. */
  async run(words: readonly string[], folder: string): Promise<Outcome> {
    const answer = new Promise<Outcome>((resolve) => {
      this.#child.once('message', (message) => resolve(message as Outcome));
    });
    this.#child.send({ words, folder });
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<Outcome>((resolve) => {
      timer = setTimeout(() => {
        this.kill();
        resolve({ code: null, stdout: '', stderr: `no end after ${LIMIT_MS / 1000} s` });
      }, LIMIT_MS);
    });
    const killed = this.#closed.then((): Outcome => ({ code: null, stdout: '', stderr: 'killed' }));
    try {
      return await Promise.race([answer, killed, limit]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the process and its children at once. */
  kill(): void {
    try {
      process.kill(-this.pid, 'SIGKILL');
    } catch {
      // It has ended already.
    }
  }

  /** Ends it, and waits until it has. */
  async end(): Promise<void> {
    this.kill();
    await this.#closed;
    this.faults?.close();
  }
}
