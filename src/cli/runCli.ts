import { setImmediate } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ConfigError, didYouMean, namesInLine, printable, printableLines, RunError, UserError } from '#src/errors';
import { systemFailure } from '#src/storage';
import { COLUMNS } from './columns.js';
import type { Arguments, Command, OptionSpec, Output } from './command.js';
import { exitCodeOf, Interrupted, interruption } from './interruption.js';
import { shellWords } from './shellWords.js';
import { wrapText } from './wrapText.js';

/** Options that every command takes. */
export const COMMON_OPTIONS = {
  json: { description: 'print one JSON object on stdout, everything else on stderr' },
  debug: { description: 'show the stack trace of an error' },
  help: { description: 'show this help', short: 'h' },
} as const;

/** A program: its commands, and what `--help` and `--version` print. */
export interface Program {
  readonly name: string;
  readonly version: string;
  readonly summary: string;
  readonly commands: readonly Command[];
  /** Options that all its commands take, besides the common ones. */
  readonly options?: Readonly<Record<string, OptionSpec>>;
  /** Comes before a command, with its arguments. */
  prepare?(args: Arguments): Promise<void>;
}

/** Where a command writes. */
export interface TextStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  /** Why nothing more arrives there; undefined while it does. */
  failure?(): string | undefined;
}

/** The two streams of a process; tests pass their own. */
export interface Streams {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
}

/**
 * Runs the command that `argv` names and returns the exit code: 0, 1 for a failure, 2 for wrong usage, configuration or data,
 * 128 + n after signal n. An error is one line per problem on stderr; its stack only under `--debug`.
 */
export async function runCli(program: Program, argv: readonly string[], streams: Streams = process): Promise<number> {
  const debug = argv.includes('--debug');
  try {
    return await dispatch(program, argv, streams);
  } catch (error) {
    if (error instanceof Interrupted) {
      streams.stderr.write(`${program.name}: ${printable(error.message)}${wayOn(program, argv, error)}\n`);
      return exitCodeOf(error.signal);
    }
    const known = error instanceof UserError ? error : systemFailure(error);
    const message = known?.message ?? (error instanceof Error ? error.message : String(error));
    for (const line of message.split('\n')) streams.stderr.write(`${program.name}: ${printable(line)}\n`);
    if (debug) for (let at = error; at instanceof Error; at = at.cause) streams.stderr.write(`${at.stack}\n`);
    else if (known === undefined)
      streams.stderr.write(`${program.name}: this is a bug in ${program.name}; --debug shows the stack trace\n`);
    return known?.exitCode ?? 1;
  }
}

/** The command that goes on after a signal: the user's own words, with `--resume` where the command has it. */
function wayOn(program: Program, argv: readonly string[], { goesOn, without }: Interrupted): string {
  // A stage is started again by its pipeline.
  if (!goesOn || interruption.isStage) return '';
  const options = commandOf(program, argv)?.options ?? {};
  const resume = 'resume' in options && !argv.includes('--resume') ? ['--resume'] : [];
  return `; go on with: ${shellWords([program.name, ...argv.filter((word) => !without.includes(word)), ...resume])}`;
}

/** The command of one or two words that `argv` begins with. */
function commandOf(program: Program, argv: readonly string[]): Command | undefined {
  return [2, 1]
    .map((count) => program.commands.find(({ name }) => name === argv.slice(0, count).join(' ')))
    .find((found) => found !== undefined);
}

async function dispatch(program: Program, argv: readonly string[], streams: Streams): Promise<number> {
  if (argv[0] === 'help') return dispatch(program, [...argv.slice(1), '--help'], streams);
  const firstOption = argv.findIndex((word) => word.startsWith('-'));
  const words = firstOption === -1 ? argv : argv.slice(0, firstOption);
  if (argv[0] === '--version' || argv[0] === '-v') {
    streams.stdout.write(`${program.version}\n`);
    return 0;
  }
  if (argv.length === 0 || argv[0] === '--help' || argv[0] === '-h') {
    streams.stdout.write(`${programHelp(program)}\n`);
    return argv.length === 0 ? 2 : 0;
  }
  if (words.length === 0) throw new ConfigError(`expected a command first, got '${argv[0]}'; see --help`);
  const command = commandOf(program, words);
  if (command === undefined) {
    const names = program.commands.map(({ name }) => name);
    const given = words.slice(0, names.some((name) => name.startsWith(`${words[0]} `)) ? 2 : 1).join(' ');
    throw new ConfigError(
      `expected a command, got '${given}'${didYouMean(given, names)}; commands: ${namesInLine(names)}; all: ${program.name} --help`,
    );
  }
  const rest = argv.slice(command.name.split(' ').length);
  const args = parseCommandArguments(program, command, rest);
  if (args.flag('help')) {
    streams.stdout.write(`${commandHelp(program, command)}\n`);
    return 0;
  }
  const json = args.flag('json');
  const stream = json ? streams.stderr : streams.stdout;
  const output: Output = {
    // Names and captions come from files: nothing in them may act on the terminal.
    line: (text = '') => void stream.write(`${printableLines(text)}\n`),
    interactive: streams.stderr.isTTY === true && !json,
    readerLeft: () => stream.failure?.() !== undefined,
  };
  const started = performance.now();
  await program.prepare?.(args);
  const result = await command.run(args, output);
  if (json) {
    const seconds = (performance.now() - started) / 1000;
    // maxRSS counts KiB.
    const peakMemoryBytes = process.resourceUsage().maxRSS * 1024;
    streams.stdout.write(`${JSON.stringify({ ...result, process: { seconds, peakMemoryBytes } })}\n`);
    // A stream tells of a failed write in a later turn.
    await setImmediate();
    const failure = streams.stdout.failure?.();
    if (failure !== undefined) throw new RunError(`cannot write the result to stdout: ${failure}`);
  }
  return result.passed === false ? 1 : 0;
}

function parseCommandArguments(program: Program, command: Command, words: readonly string[]): Arguments {
  const specs = { ...command.options, ...program.options, ...COMMON_OPTIONS };
  const options = Object.fromEntries(
    Object.entries(specs).map(([name, spec]) => [
      name,
      {
        type: 'placeholder' in spec && spec.placeholder !== undefined ? ('string' as const) : ('boolean' as const),
        multiple: 'multiple' in spec && spec.multiple === true,
        ...('short' in spec && spec.short !== undefined ? { short: spec.short } : {}),
      },
    ]),
  );
  let parsed: { values: Record<string, string | boolean | (string | boolean)[] | undefined>; positionals: string[] };
  try {
    parsed = parseArgs({ args: [...words], options, allowPositionals: true, strict: true });
  } catch (error) {
    const { message } = error as Error;
    const unknown = /Unknown option '(-{1,2})([^']+)'/.exec(message);
    if (unknown === null) throw new ConfigError(`${command.name}: ${message.split(/\.\s/)[0]}`);
    const [, dashes, name] = unknown;
    const hint = dashes === '--' ? didYouMean(name, Object.keys(specs)) : '';
    throw new ConfigError(`${command.name}: unknown option '${dashes}${name}'${hint}; see ${command.name} --help`);
  }
  const { values, positionals } = parsed;
  const required = command.positionals.filter(({ optional }) => !optional);
  const takesRest = command.positionals.some(({ rest }) => rest);
  if (values.help !== true && positionals.length < required.length) {
    throw new ConfigError(`${command.name}: expected <${required[positionals.length].name}>, got nothing; see --help`);
  }
  if (!takesRest && positionals.length > command.positionals.length) {
    throw new ConfigError(`${command.name}: unexpected '${positionals[command.positionals.length]}'; see --help`);
  }
  return {
    positionals,
    text: (name) => (typeof values[name] === 'string' ? values[name] : undefined),
    texts: (name) => (Array.isArray(values[name]) ? values[name].map(String) : []),
    flag: (name) => values[name] === true,
    commandLine: shellWords([program.name, ...command.name.split(' '), ...words]),
  };
}

function programHelp({ name, version, summary, commands }: Program): string {
  return [
    ...wrapText(`${name} ${version}: ${summary}`, COLUMNS),
    '',
    `usage: ${name} <command> [options]`,
    '',
    ...twoColumns(commands.map((command) => [command.name, command.summary])),
    '',
    `${name} <command> --help shows a command's options.`,
  ].join('\n');
}

function commandHelp(program: Program, command: Command): string {
  const words = command.positionals.map(({ name, optional, rest }) => {
    const word = rest ? `<${name}...>` : `<${name}>`;
    return optional ? `[${word}]` : word;
  });
  const entries = [
    ...command.positionals.map(({ name, description }) => [`<${name}>`, description] as const),
    ...Object.entries({ ...command.options, ...program.options, ...COMMON_OPTIONS }).map(
      ([name, spec]): [string, string] => [
        'placeholder' in spec && spec.placeholder !== undefined ? `--${name} <${spec.placeholder}>` : `--${name}`,
        spec.description,
      ],
    ),
  ];
  return [
    ...wrapText(`usage: ${program.name} ${command.name} ${[...words, '[options]'].join(' ')}`, COLUMNS),
    '',
    ...wrapText(command.summary, COLUMNS),
    ...(command.details === undefined
      ? []
      : ['', ...command.details.split('\n').flatMap((line) => wrapText(line, COLUMNS))]),
    '',
    ...twoColumns(entries),
  ].join('\n');
}

/** Names on the left, wrapped descriptions on the right; a name too long for its column gets its own line. */
function twoColumns(entries: readonly (readonly [string, string])[]): string[] {
  const width = Math.min(28, Math.max(...entries.map(([left]) => left.length)));
  return entries.flatMap(([left, right]) => {
    const head = left.length > width ? [`  ${left}`] : [];
    const first = head.length > 0 ? ' '.repeat(width) : left.padEnd(width);
    const lines = wrapText(right, COLUMNS - width - 4);
    return [...head, ...lines.map((line, i) => `  ${i === 0 ? first : ' '.repeat(width)}  ${line}`)];
  });
}
