import { join, resolve } from 'node:path';
import { unmerge } from '#fusion';
import type { Command } from '#src/cli';
import { findCheckpoint } from '#src/training';
import { OVERWRITE_OPTION } from '../options/index.js';

/** `tokenfuse unmerge`: gives both backbones back. */
export const unmergeCommand: Command = {
  name: 'unmerge',
  summary: 'Split a merged model into its two backbones, bit-equal to those merged',
  positionals: [
    { name: 'model', description: 'a merged or aligned model: run directory or checkpoint' },
    { name: 'out', description: 'folder for <out>/vision and <out>/language' },
  ],
  options: OVERWRITE_OPTION,
  run: async (args, output) => {
    const [model, out] = args.positionals;
    const [vision, language] = ['vision', 'language'].map((room) => resolve(join(out, room)));
    const { compared } = unmerge(findCheckpoint(model), vision, language, {
      overwrite: args.flag('overwrite'),
      say: output.line,
    });
    output.line(
      compared === null
        ? 'no merge report, so the tensors were not compared'
        : `${compared} tensors equal to those merged, by SHA-256`,
    );
    output.line(`vision backbone in ${vision}`);
    output.line(`language backbone in ${language}`);
    return { vision, language, compared };
  },
};
