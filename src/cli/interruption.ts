import { constants } from 'node:os';
import { basename } from 'node:path';
import { Worker } from 'node:worker_threads';
import { ENDING_SIGNALS, type EndingSignal, isRepeat, stopped, type WatcherData } from './signals.js';

/** Environment variable by which a process tells its children its process id. */
export const PARENT_VARIABLE = 'TOKENFUSE_PARENT';

/** How long a command may take to end after a first signal; it ends where it reports progress. */
const END_MS = 2000;

/** Thrown where a command ends because a signal asked it to: not a failure, and no bug. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  /**
   * @param done what is kept, as in `stopped by SIGTERM after step 12`
   * @param goesOn whether the same command goes on from there, where it has `--resume` with it
   * @param without options of the command that would start anew
   */
  constructor(
    readonly signal: EndingSignal,
    readonly done = '',
    readonly goesOn = false,
    readonly without: readonly string[] = [],
  ) {
    super(`${stopped(signal)}${done}`);
  }
}

/** By the shells' rule, 128 + the signal's number. */
export function exitCodeOf(signal: EndingSignal): number {
  return 128 + constants.signals[signal];
}

/** Listeners get every signal that is watched, SIGUSR1 too. */
type Listener = (signal: NodeJS.Signals) => void;

const memory = (length: number): Int32Array =>
  new Int32Array(new SharedArrayBuffer(length * Int32Array.BYTES_PER_ELEMENT));

/**
 * The requests of signals to this process. They are seen here as soon as they come, also by a computation that never returns
 * to the event loop. Without `watchSignals`, as in a library, there are none.
 */
class Interruption {
  private readonly counts = memory(65);
  private readonly waits = memory(1);
  private readonly listeners = new Set<Listener>();
  private checkpoints = 0;
  /** True in a process that another one started as a stage; that one tells how to go on. */
  isStage = false;

  /** The signal that asks this process to end. */
  get signal(): EndingSignal | undefined {
    return ENDING_SIGNALS.find((name) => Atomics.load(this.counts, constants.signals[name]) > 0);
  }

  /** @throws Interrupted when a signal asks this process to end */
  check(): void {
    const { signal } = this;
    if (signal !== undefined) throw new Interrupted(signal);
  }

  /** Whether SIGUSR1 has asked for a checkpoint since the last call. */
  takeCheckpointRequest(): boolean {
    const count = Atomics.load(this.counts, constants.signals.SIGUSR1 ?? 0);
    const asked = count > this.checkpoints;
    this.checkpoints = count;
    return asked;
  }

  /** Runs work that looks for signals itself and stops: the process is not ended meanwhile. */
  async waitFor<T>(work: () => Promise<T>): Promise<T> {
    Atomics.add(this.waits, 0, 1);
    try {
      return await work();
    } finally {
      Atomics.sub(this.waits, 0, 1);
    }
  }

  /** Calls `listener` with every signal until the function that it returns is called. */
  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /**
   * Starts to watch the signals of this process, and ends it with its parent if it is a stage: one that kept training after a
   * killed pipeline would write into the same run directory as its successor.
   *
   * @param say takes the line that says why the process ends, where its work does not stop in time
   */
  watch(programName: string, say: (line: string) => void): void {
    const given = Number(process.env[PARENT_VARIABLE]);
    delete process.env[PARENT_VARIABLE]; // meant for this process and for none that it may start
    const parent = Number.isInteger(given) && given > 0 ? given : undefined;
    this.isStage = parent !== undefined;
    // Node resets an ignored SIGHUP when it starts; only the shell's `_` tells of nohup.
    const ignored = basename(process.env._ ?? '') === 'nohup' ? (['SIGHUP'] as const) : [];
    const { counts, waits } = this;
    const workerData: WatcherData = { counts, waits, parent, ignored, programName };
    const watcher = new Worker(new URL('./signalWatcher.js', import.meta.url), { workerData });
    const end = (signal: EndingSignal): void => {
      say(`${programName}: ${stopped(signal)}\n`);
      process.exit(exitCodeOf(signal));
    };
    let first: number | undefined;
    const take = (name: NodeJS.Signals): void => {
      for (const listener of this.listeners) listener(name);
      const signal = ENDING_SIGNALS.find((ending) => ending === name);
      if (signal === undefined) return;
      const now = performance.now();
      if (first !== undefined) {
        if (isRepeat(first, now, parent)) end(signal);
        return;
      }
      first = now;
      if (Atomics.load(waits, 0) === 0) setTimeout(() => end(signal), END_MS).unref();
    };
    /** Without the watcher signals come between two tasks of this thread. */
    const watchHere = (): void => {
      for (const name of [...ENDING_SIGNALS, 'SIGUSR1' as const]) {
        process.on(name, () => {
          if (ignored.some((each) => each === name)) return;
          this.note(name);
          take(name);
        });
      }
    };
    watcher.on('message', (message: NodeJS.Signals | 'unavailable') =>
      message === 'unavailable' ? watchHere() : take(message),
    );
    watcher.on('error', watchHere);
    // After the listener, which would keep a finished command alive.
    watcher.unref();
  }

  /** Ends with the first signal that asks this process to end. */
  ended(): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (this.signal === undefined) return;
        stop();
        resolve();
      };
      const stop = this.listen(check);
      check();
    });
  }

  /** Counts a signal as if it had come. */
  note(signal: NodeJS.Signals): void {
    Atomics.add(this.counts, constants.signals[signal], 1);
  }

  /** Forgets all that came; for tests. */
  reset(): void {
    this.counts.fill(0);
    this.checkpoints = 0;
  }
}

export const interruption = new Interruption();
