import type { TortureCommand } from './commands.js';

/** One attempt after which something was lost, and how to see it again. */
export interface Loss {
  readonly what: string;
  readonly why: string;
}

/** What a part has to report. */
export interface PartResult {
  readonly attempted: number;
  readonly losses: readonly Loss[];
  /** Why the part, or some of it, did not run here. */
  readonly skipped?: string;
}

/** What all parts are given. */
export interface Setting {
  /** Where parts may write; removed at the end unless --keep is given. */
  readonly scratch: string;
  /** The folder that `prepareFolder` copies inputs from. */
  readonly workshop: string;
  readonly commands: readonly TortureCommand[];
  readonly seed: number;
  /** Of full size; smaller for --quick. */
  readonly size: number;
  readonly keep: boolean;
  /** Processes at a time. */
  readonly jobs: number;
  /** The compiled faults.c, or why there is none. */
  readonly faults: { readonly library: string } | { readonly missing: string };
  readonly engine: string;
  log(line: string): void;
}

/** One kind of bad luck. */
export interface Part {
  readonly name: string;
  readonly summary: string;
  run(setting: Setting): Promise<PartResult>;
}
