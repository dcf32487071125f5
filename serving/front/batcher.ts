import type { AnyBatch, BatchAnswer, Outcome, WorkName, Works } from '../works.js';
import { Refusal } from './refusal.js';

/** What works on batches, one at a time. */
export interface Engine {
  run(batch: AnyBatch): Promise<BatchAnswer>;
}

export interface BatcherOptions {
  readonly engine: Engine;
  readonly batchSize: number;
  /** How long the first of a batch waits for others while the engine is idle. */
  readonly batchWaitMs: number;
  /** Items that are admitted and not answered yet. */
  readonly maxQueue: number;
  /** Hears of each batch, how long the engine took, and its answer unless it failed. */
  readonly onBatch?: (batch: AnyBatch, seconds: number, answer: BatchAnswer | undefined) => void;
}

/** Collects items into batches for an engine. */
export interface Batcher {
  /** Items that are admitted. */
  readonly length: number;
  /** Takes places for items, before anything is done for them. @returns gives them back @throws Refusal when too many wait */
  admit(items: number): () => void;
  /**
   * The engine's result for an item, in a batch with others of the same work and setting.
   *
   * @param signal takes the item out of the queue; one that the engine works on already is given up
   * @throws Refusal
   */
  submit<Name extends WorkName>(
    work: Name,
    setting: Works[Name]['setting'],
    item: Works[Name]['item'],
    signal: AbortSignal,
  ): Promise<Works[Name]['result']>;
}

interface Job {
  readonly work: WorkName;
  readonly setting: Works[WorkName]['setting'];
  readonly item: Works[WorkName]['item'];
  /** Of work and setting. */
  readonly key: string;
  readonly arrived: number;
  readonly settle: (outcome: Outcome<Works[WorkName]['result']> | Error) => void;
}

/**
 * The oldest item decides what the next batch is; whatever else waits and goes with it comes along, up to `batchSize`. It
 * starts when it is full, when no other admitted item is still to come, or `batchWaitMs` after its oldest item came; while the
 * engine works on another, that time passes too.
 */
export function createBatcher(options: BatcherOptions): Batcher {
  const { engine, batchSize, batchWaitMs, maxQueue, onBatch } = options;
  let waiting: Job[] = [];
  let admitted = 0;
  let isBusy = false;
  let timer: NodeJS.Timeout | undefined;

  const runBatch = async (jobs: readonly Job[]): Promise<void> => {
    const [{ work, setting }] = jobs;
    // The jobs of a key have one work and one setting.
    const batch = { work, setting, items: jobs.map(({ item }) => item) } as AnyBatch;
    const started = performance.now();
    let answer: BatchAnswer | undefined;
    try {
      answer = await engine.run(batch);
      for (const [i, { settle }] of jobs.entries()) settle(answer.outcomes[i]);
    } catch (error) {
      for (const { settle } of jobs) settle(error as Error);
    }
    onBatch?.(batch, (performance.now() - started) / 1000, answer);
    isBusy = false;
    next();
  };

  const next = (): void => {
    clearTimeout(timer);
    if (isBusy || waiting.length === 0) return;
    const [{ key, arrived }] = waiting;
    const jobs = waiting.filter((job) => job.key === key).slice(0, batchSize);
    // An item that is admitted and not here yet is being decoded.
    const left = waiting.length === admitted ? 0 : batchWaitMs - (performance.now() - arrived);
    if (jobs.length < batchSize && left > 0) {
      timer = setTimeout(next, left);
      return;
    }
    const chosen = new Set(jobs);
    waiting = waiting.filter((job) => !chosen.has(job));
    isBusy = true;
    void runBatch(jobs);
  };

  return {
    get length() {
      return admitted;
    },
    admit: (items) => {
      if (admitted + items > maxQueue) {
        throw new Refusal('overloaded', `expected at most ${maxQueue} pictures and prompts at once; try again`);
      }
      admitted += items;
      let isOver = false;
      return () => {
        if (!isOver) admitted -= items;
        isOver = true;
      };
    },
    submit: <Name extends WorkName>(
      work: Name,
      setting: Works[Name]['setting'],
      item: Works[Name]['item'],
      signal: AbortSignal,
    ) =>
      new Promise<Works[Name]['result']>((resolve, reject) => {
        const giveUp = (): void => {
          waiting = waiting.filter((other) => other !== job);
          reject(signal.reason);
        };
        const job: Job = {
          ...{ work, setting, item, key: `${work} ${JSON.stringify(setting)}`, arrived: performance.now() },
          settle: (outcome) => {
            signal.removeEventListener('abort', giveUp);
            if (outcome instanceof Error) reject(outcome);
            else if ('refusal' in outcome) reject(new Refusal('invalid_field', outcome.refusal));
            else resolve(outcome.result as Works[Name]['result']);
          },
        };
        if (signal.aborted) return reject(signal.reason);
        signal.addEventListener('abort', giveUp, { once: true });
        waiting.push(job);
        next();
      }),
  };
}
