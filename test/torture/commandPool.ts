import { CommandProcess } from './commandProcess.js';

/** Processes that wait for a command: starting one takes longer than most commands do. */
export class CommandPool {
  readonly #idle: CommandProcess[] = [];

  /** @param library of faults.c; without it no call can be broken */
  constructor(
    private readonly scratch: string,
    private readonly library: string | undefined,
  ) {}

  /** A process that waits, or a new one. Whoever takes it gives it back or ends it. */
  async take(): Promise<CommandProcess> {
    return this.#idle.pop() ?? (await CommandProcess.start(this.scratch, this.library));
  }

  giveBack(process: CommandProcess): void {
    this.#idle.push(process);
  }

  async end(): Promise<void> {
    await Promise.all(this.#idle.map((process) => process.end()));
    this.#idle.length = 0;
  }
}
