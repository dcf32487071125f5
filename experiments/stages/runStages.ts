import { Interrupted, interruption, type Output } from '#src/cli';
import { isProgressText } from '#src/tracking';
import { type ChildProcess, type ChildResult, startChild } from './childProcess.js';
import type { CommandOptions, Stage } from './stage.js';

export interface StageRunOptions {
  /** Of all stages that run at a time together. */
  readonly threads: number;
  /** Of each stage; unless given the running stages share `threads` evenly. */
  readonly threadsEach?: number;
  /** Passes each stage's share on as `--threads` too, so that an engine without a choice of threads says so. */
  readonly passThreads?: boolean;
  /** Where the stages' own lines go. */
  readonly output: Output;
  /** Called after each stage, with what its command reported; undefined when it had nothing to run. */
  readonly onEnd?: (stage: Stage, result: ChildResult | undefined) => void;
}

/** What a finished graph reports. */
export interface StageRun {
  /** By stage name, of those that ran a command. */
  readonly results: ReadonlyMap<string, ChildResult>;
  /** The largest sum of peaks over stages that ran at the same time. */
  readonly peakMemoryBytes: number;
}

interface RunningChild {
  readonly stage: string;
  readonly child: ChildProcess;
}

/** Passes on lines of progress alone. */
const quietly = (output: Output): Output => ({
  line: (text = '') => {
    if (isProgressText(text)) output.line(text);
  },
  interactive: false,
});

/**
 * Runs the stages of a graph in the order of the list, each as soon as the stages it needs have ended, side by side where
 * there are threads for it. A need that is not in the list counts as done. The first failure ends the others as a signal
 * would: those that train write a checkpoint. All have ended when it is thrown.
 *
 * @throws Interrupted after a signal, which all running stages get
 */
export function runStages(stages: readonly Stage[], options: StageRunOptions): Promise<StageRun> {
  return interruption.waitFor(() => run(stages, options));
}

async function run(stages: readonly Stage[], options: StageRunOptions): Promise<StageRun> {
  const { threads, threadsEach, output } = options;
  const names = new Set(stages.map(({ name }) => name));
  const results = new Map<string, ChildResult>();
  const ended = new Set<string>();
  const running = new Map<string, Promise<void>>();
  const children = new Set<RunningChild>();
  /** Stages that had a child at the same time, noted whenever one starts. */
  const moments: string[][] = [];
  const errors: unknown[] = [];
  /** Whether a stage failed before any signal came. */
  let failedFirst = false;
  let waiting = [...stages];

  const signalAll = (name: NodeJS.Signals): void => {
    for (const { child } of children) child.signal(name);
  };
  const command =
    (stage: Stage) =>
    async (
      words: readonly string[],
      { computes = false, quiet = false }: CommandOptions = {},
    ): Promise<ChildResult> => {
      interruption.check();
      const share = threadsEach ?? Math.max(1, Math.floor(threads / running.size));
      const allWords = options.passThreads && computes ? [...words, '--threads', String(share)] : words;
      // Alone it takes as many as its engine likes.
      const handedOver = threadsEach ?? (running.size > 1 ? share : undefined);
      const child = startChild(stage.name, allWords, quiet ? quietly(output) : output, handedOver);
      const entry = { stage: stage.name, child };
      children.add(entry);
      moments.push([...children].map((each) => each.stage));
      try {
        return await child.finished;
      } finally {
        children.delete(entry);
      }
    };
  const work = async (stage: Stage): Promise<void> => {
    try {
      const result = await stage.run({ command: command(stage), resultOf: (name) => results.get(name) });
      if (result !== undefined) results.set(stage.name, result);
      ended.add(stage.name);
      options.onEnd?.(stage, result);
    } catch (error) {
      errors.push(error);
      if (interruption.signal !== undefined) output.line((error as Error).message);
      else if (errors.length === 1) {
        failedFirst = true;
        signalAll('SIGTERM');
      }
    } finally {
      running.delete(stage.name);
    }
  };
  /** Stages that run on take over the threads of one that has ended, and give some to one that starts. */
  const shareThreads = (): void => {
    if (threadsEach !== undefined) return;
    for (const { child } of children) child.setThreads(Math.max(1, Math.floor(threads / running.size)));
  };

  const atOnce = Math.max(1, Math.floor(threads / (threadsEach ?? 1)));
  const stopListening = interruption.listen(signalAll);
  try {
    while (waiting.length + running.size > 0 && errors.length === 0 && interruption.signal === undefined) {
      const ready = waiting
        .filter(({ needs }) => needs.every((need) => !names.has(need) || ended.has(need)))
        .slice(0, atOnce - running.size);
      if (ready.length + running.size === 0) {
        throw new Error(`stages that wait for each other: ${waiting.map(({ name }) => name).join(', ')}`);
      }
      waiting = waiting.filter((stage) => !ready.includes(stage));
      // All are counted before the first starts: each takes its share of the threads.
      for (const stage of ready)
        running.set(
          stage.name,
          Promise.resolve().then(() => work(stage)),
        );
      shareThreads();
      await Promise.race(running.values());
    }
    await Promise.allSettled(running.values());
  } finally {
    stopListening();
  }
  const { signal } = interruption;
  if (signal !== undefined && !failedFirst && ended.size < stages.length) {
    throw new Interrupted(signal, ` after ${ended.size} of ${stages.length} stages`, true);
  }
  if (errors.length > 0) throw errors[0];
  const peakOf = (name: string): number => results.get(name)?.process.peakMemoryBytes ?? 0;
  const peaks = moments.map((moment) => moment.reduce((sum, name) => sum + peakOf(name), 0));
  return { results, peakMemoryBytes: Math.max(0, ...peaks) };
}
