import type { Arguments, OptionSpec, Output } from '#src/cli';
import { describeEngine, ENGINE_NAMES, type EngineInfo, type EngineName, selectEngine } from '#src/engine';
import { ConfigError, didYouMean } from '#src/errors';

/** Options of every command that computes. */
export const ENGINE_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  engine: { description: `auto (the first that works), ${ENGINE_NAMES.join(', ')}`, placeholder: 'name' },
  'allow-software-adapter': { description: 'let webgpu run on an emulated adapter (slow)' },
};

/** Starts the engine that `--engine` names and prints one line about it. */
export async function startEngine(args: Arguments, output: Output): Promise<EngineInfo> {
  const name = args.text('engine') ?? 'auto';
  const names = ['auto', ...ENGINE_NAMES];
  if (!names.includes(name)) {
    throw new ConfigError(`--engine: expected ${names.join(', ')}; got '${name}'${didYouMean(name, names)}`);
  }
  const info = await selectEngine(name as 'auto' | EngineName, {
    allowSoftwareAdapter: args.flag('allow-software-adapter'),
  });
  output.line(describeEngine(info));
  return info;
}
