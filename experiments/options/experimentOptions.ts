import { join, resolve } from 'node:path';
import type { Arguments, OptionSpec, Output } from '#src/cli';
import { refuseInsideData } from './refuseInsideData.js';

/** For every command that writes a result: without it, nothing that exists is overwritten. */
export const OVERWRITE_OPTION: Readonly<Record<string, OptionSpec>> = {
  overwrite: {
    description: 'move what is in the place of the result aside, to a name that ends in .old-1, and start anew',
  },
};

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
  extend: { description: 'as --resume, and with more training.steps or training.patience than before' },
  ...OVERWRITE_OPTION,
};

/** The folders that an experiment's options name. */
export interface ExperimentFolders {
  readonly root: string;
  readonly cacheDir: string;
  /** The folder of an experiment's result. @throws ConfigError when it lies inside the experiment's own data */
  out(experiment: { readonly name: string }): string;
}

/** What may be done with a run that is in --out already. */
export function runOptionsOf(args: Arguments, { line }: Output) {
  const extend = args.flag('extend');
  return { resume: args.flag('resume') || extend, extend, overwrite: args.flag('overwrite'), say: line };
}

export function foldersOf(args: Arguments): ExperimentFolders {
  const root = resolve(args.text('root') ?? '.');
  return {
    root,
    cacheDir: resolve(args.text('cache-dir') ?? join('.tokenfuse', 'cache')),
    out: (experiment) => {
      const outDir = resolve(args.text('out') ?? join(root, experiment.name));
      refuseInsideData(outDir, experiment, root);
      return outDir;
    },
  };
}
