import { join, resolve } from 'node:path';
import type { Arguments, OptionSpec } from '#src/cli';

/** Options of every command that runs an experiment file. */
export const EXPERIMENT_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  set: {
    description: 'override a key of the experiment file; tokenfuse config lists them',
    placeholder: 'key=value',
    multiple: true,
  },
  root: { description: 'where the paths in the file start (default: here)', placeholder: 'dir' },
  out: { description: 'where the result goes (default: <root>/<name>)', placeholder: 'dir' },
  'cache-dir': { description: 'packed images and tokens (default: .tokenfuse/cache)', placeholder: 'dir' },
  resume: { description: 'continue from the last checkpoint in --out' },
};

/** The folders that an experiment's options name. */
export interface ExperimentFolders {
  readonly root: string;
  readonly cacheDir: string;
  out(name: string): string;
}

export function foldersOf(args: Arguments): ExperimentFolders {
  const root = resolve(args.text('root') ?? '.');
  return {
    root,
    cacheDir: resolve(args.text('cache-dir') ?? join('.tokenfuse', 'cache')),
    out: (name) => resolve(args.text('out') ?? join(root, name)),
  };
}
