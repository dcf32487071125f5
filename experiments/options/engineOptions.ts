import { availableParallelism } from 'node:os';
import type { Arguments, OptionSpec, Output } from '#src/cli';
import {
  describeEngine,
  ENGINE_NAMES,
  type EngineInfo,
  type EngineName,
  type MatmulPrecision,
  requirePrecisionSomewhere,
  selectEngine,
} from '#src/engine';
import { ConfigError, didYouMean } from '#src/errors';

/** Options of every command that computes. */
export const ENGINE_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  engine: { description: `auto (the first that works), ${ENGINE_NAMES.join(', ')}`, placeholder: 'name' },
  threads: { description: 'worker threads of engine native (default: all physical cores)', placeholder: 'n' },
  'allow-software-adapter': { description: 'let webgpu run on an emulated adapter (slow)' },
};

/**
 * The number that `--threads` gives, undefined without it.
 *
 * @throws ConfigError for anything but a whole number of at most the processors that this process may use
 */
export function threadsOf(args: Arguments): number | undefined {
  const text = args.text('threads');
  if (text === undefined) return undefined;
  const threads = Number(text);
  const most = availableParallelism();
  if (/^\d+$/.test(text) && threads >= 1 && threads <= most) return threads;
  throw new ConfigError(`--threads: expected a whole number from 1 to ${most} (the processors here), got '${text}'`);
}

/** Starts the engine that `--engine` names, for training in a precision, and prints one line about it. */
export async function startEngine(
  args: Arguments,
  output: Output,
  matmulPrecision?: MatmulPrecision,
): Promise<EngineInfo> {
  const name = args.text('engine') ?? 'auto';
  const names = ['auto', ...ENGINE_NAMES];
  if (!names.includes(name)) {
    throw new ConfigError(`--engine: expected ${names.join(', ')}; got '${name}'${didYouMean(name, names)}`);
  }
  const threads = threadsOf(args);
  const info = await selectEngine(name as 'auto' | EngineName, {
    allowSoftwareAdapter: args.flag('allow-software-adapter'),
    threads,
    matmulPrecision,
  });
  output.line(describeEngine(info));
  if (threads !== undefined && info.threads === undefined) {
    output.line(`--threads ${threads} has no effect: only engine native has threads, this is ${info.name}`);
  }
  return info;
}

/**
 * Refuses a precision that no engine of this machine has, before the first of several stages starts.
 *
 * @throws ConfigError
 */
export async function requirePrecisions(precisions: readonly MatmulPrecision[]): Promise<void> {
  for (const precision of new Set(precisions)) {
    if (precision !== 'highest') requirePrecisionSomewhere(precision);
  }
}

/** The same options for a process of its own. */
export function engineWordsOf(args: Arguments): string[] {
  const engine = args.text('engine');
  return [
    ...(engine === undefined ? [] : ['--engine', engine]),
    ...(args.flag('allow-software-adapter') ? ['--allow-software-adapter'] : []),
  ];
}
