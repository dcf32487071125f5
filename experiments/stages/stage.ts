import type { ChildResult } from './childProcess.js';

/** One step of a pipeline or a study. */
export interface Stage {
  /** Unique in its graph; printed before the stage's own lines. */
  readonly name: string;
  /** Names of the stages whose output it reads. */
  readonly needs: readonly string[];
  /** The folder it writes. */
  readonly outDir: string;
  /**
   * Whether its whole output is there.
   *
   * @throws ConfigError when the output was made with other settings
   */
  isComplete(): boolean;
  /** Makes its output, continues it, or keeps what is complete. */
  run(context: StageContext): Promise<ChildResult | undefined>;
}

/** What a running stage can use. */
export interface StageContext {
  /** Runs a tokenfuse command in a process of its own, with the threads that are the stage's share. */
  command(words: readonly string[], options?: CommandOptions): Promise<ChildResult>;
  /** What an earlier stage of this run reported. */
  resultOf(stage: string): ChildResult | undefined;
}

export interface CommandOptions {
  /** Whether it takes `--threads`, which is passed on where the user gave it. */
  readonly computes?: boolean;
  /** Prints none of its lines but those of progress. */
  readonly quiet?: boolean;
}
