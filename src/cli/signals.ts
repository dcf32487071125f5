/** Signals by which a user, a terminal or a scheduler ends a process. */
export const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
export type EndingSignal = (typeof ENDING_SIGNALS)[number];

/** What the main thread and the watcher share. */
export interface WatcherData {
  /** How often each signal came, by its number. */
  readonly counts: Int32Array;
  /** Its one entry is above 0 while work runs that stops after a signal itself, however long its current step takes. */
  readonly waits: Int32Array;
  /** The process that started this one as a stage. */
  readonly parent: number | undefined;
  readonly ignored: readonly NodeJS.Signals[];
  /** Of the program, before a line on stderr. */
  readonly programName: string;
}

/** A terminal, `timeout` or `npm` may deliver one request twice, to the process and to its group. */
const SAME_REQUEST_MS = 300;

/**
 * Whether a signal asks to end at once. In a stage it never does: its parent gets the same signals, and a stage ends with its
 * parent.
 *
 * @param first when the first one came, in milliseconds
 */
export function isRepeat(first: number, now: number, parent: number | undefined): boolean {
  return parent === undefined && now - first > SAME_REQUEST_MS;
}

/** What a command says that a signal has ended. */
export function stopped(signal: NodeJS.Signals): string {
  return `stopped by ${signal}`;
}
