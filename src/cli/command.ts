/** @file What a command is: a name, its arguments, and a function that returns one JSON object. */

export interface OptionSpec {
  readonly description: string;
  /** Shown as `--name <placeholder>`; a boolean flag has none. */
  readonly placeholder?: string;
  /** May be given several times; the value is then an array. */
  readonly multiple?: boolean;
  readonly short?: string;
}

export interface PositionalSpec {
  readonly name: string;
  readonly description: string;
  readonly optional?: boolean;
  /** Takes all remaining words; only the last one may. */
  readonly rest?: boolean;
}

export type JsonObject = { [key: string]: unknown };

/** Where a command writes for people: stdout, or stderr under `--json` (stdout then holds the one JSON object). */
export interface Output {
  line(text?: string): void;
  /** True when progress may be drawn in place. */
  readonly interactive: boolean;
  /** Whether lines no longer arrive, as after `| head`. A command whose lines are its only result may end then. */
  readerLeft?(): boolean;
}

/** Parsed words of the command line, still strings; a command checks their meaning before any work. */
export interface Arguments {
  readonly positionals: readonly string[];
  /** An option's text, or undefined when it was not given. */
  text(name: string): string | undefined;
  /** All texts of a `multiple` option. */
  texts(name: string): readonly string[];
  flag(name: string): boolean;
  /** The whole command, as a shell would read it; kept with results. */
  readonly commandLine: string;
}

export interface Command {
  /** One or two words: `merge`, `tokenizer train`. */
  readonly name: string;
  readonly summary: string;
  readonly details?: string;
  readonly positionals: readonly PositionalSpec[];
  readonly options: Readonly<Record<string, OptionSpec>>;
  run(args: Arguments, output: Output): Promise<JsonObject>;
}
