/**
 * @file A worker thread that receives the process's signals. Node runs `process.on('SIGINT')` between two tasks of the main
 * thread, which a computation may hold for minutes; this thread is free at any time.
 */
import { writeSync } from 'node:fs';
import { constants } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { ENDING_SIGNALS, isRepeat, stopped, type WatcherData } from './signals.js';

/** How long the main thread may take to end after a first signal, unless it asked to be waited for. */
const FIRST_MS = 3000;
/** The same after a second one. */
const REPEAT_MS = 300;
const PARENT_POLL_MS = 250;

/** What Node's `process.on(signal)` is made of; it has no public name in a worker. */
interface SignalHandle {
  onsignal: (signal: number) => void;
  start(signal: number): number;
  close(): void;
}
interface SignalBinding {
  readonly Signal: new () => SignalHandle;
}

const { counts, waits, parent, ignored, programName } = workerData as WatcherData;
if (parent !== undefined) {
  setInterval(() => process.ppid === parent || process.kill(process.pid, 'SIGKILL'), PARENT_POLL_MS);
}

/** Signals that a Node without this binding leaves to the main thread. */
function signalBinding(): SignalBinding | undefined {
  process.noDeprecation = true; // of this thread only
  try {
    return (process as unknown as { binding(name: string): SignalBinding }).binding('signal_wrap');
  } catch {
    return undefined;
  }
}

const binding = signalBinding();
if (binding === undefined) parentPort?.postMessage('unavailable');
else for (const name of [...ENDING_SIGNALS, 'SIGUSR1' as const]) watch(name, binding);

function watch(name: NodeJS.Signals, { Signal }: SignalBinding): void {
  const number = constants.signals[name];
  if (number === undefined) return;
  const handle = new Signal();
  let first: number | undefined;
  const endAfter = (ms: number): void => {
    setTimeout(() => {
      try {
        writeSync(2, `${programName}: ${stopped(name)}\n`);
      } catch {
        // Nobody reads it.
      }
      handle.close(); // the signal has its usual effect again
      setImmediate(() => process.kill(process.pid, number));
    }, ms);
  };
  handle.onsignal = () => {
    if (ignored.includes(name)) return;
    Atomics.add(counts, number, 1);
    parentPort?.postMessage(name);
    if (name === 'SIGUSR1') return;
    const now = performance.now();
    if (first === undefined) {
      first = now;
      if (Atomics.load(waits, 0) === 0) endAfter(FIRST_MS);
    } else if (isRepeat(first, now, parent)) endAfter(REPEAT_MS);
  };
  handle.start(number); // fails for a signal that the system does not have
}
