import { existsSync } from 'node:fs';
import { register } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { OptionSpec } from '#src/cli';
import { ConfigError, UserError } from '#src/errors';
import { readBytes, systemErrorWords } from '#src/storage';

/** The option by which every command takes plugins. */
export const PLUGIN_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  plugin: {
    description: 'load a module that registers fusion methods or norm activations (.ts, .js); repeatable',
    placeholder: 'file',
    multiple: true,
  },
};

const loaded: string[] = [];

/**
 * Imports modules that register parts of a user's own: `registerFusionMethod(…)` at their top level. TypeScript is taken as it
 * is, its types erased; `import … from 'tokenfuse'` gives the running package, wherever the module lies.
 *
 * @throws ConfigError for a path that is no module
 * @throws UserError when a module cannot be loaded
 */
export async function loadPlugins(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    if (!/\.m?[jt]s$/.test(path))
      throw new ConfigError(`--plugin: expected a .ts, .mts, .js or .mjs file, got '${path}'`);
    if (!existsSync(path)) throw new ConfigError(`--plugin: cannot find '${path}'`);
    // A pipe would be waited for.
    readBytes(path, 'plugin');
  }
  if (paths.length > 0 && loaded.length === 0) register('./pluginHooks.js', import.meta.url);
  for (const path of paths) {
    try {
      await import(pathToFileURL(path).href);
    } catch (error) {
      if (error instanceof UserError) throw error;
      throw new UserError(`--plugin ${path}: ${systemErrorWords(error)}`, { cause: error });
    }
    loaded.push(resolve(path));
  }
}

/** The same plugins for a process of its own. */
export function pluginWords(): string[] {
  return loaded.flatMap((path) => ['--plugin', path]);
}
