import { basename, resolve } from 'node:path';
import { extractBridge } from '#fusion';
import type { Command } from '#src/cli';
import { ConfigError } from '#src/errors';
import { GROUP_SUFFIX } from '#src/groups';
import { OVERWRITE_OPTION } from '../options/index.js';

/** `tokenfuse extract-bridge`: what an alignment trained, as a file. */
export const extractBridgeCommand: Command = {
  name: 'extract-bridge',
  summary: 'Write the bridge of an aligned model, its added groups and gates, to a file of its own',
  positionals: [
    { name: 'model', description: 'an aligned model: run directory or checkpoint' },
    { name: 'out', description: `file for the bridge; its name ends in ${GROUP_SUFFIX}` },
  ],
  options: OVERWRITE_OPTION,
  run: async (args, output) => {
    const [model, out] = args.positionals;
    const path = resolve(out);
    const name = basename(path, GROUP_SUFFIX);
    if (!path.endsWith(GROUP_SUFFIX) || name === '') {
      throw new ConfigError(`out: expected a name that ends in ${GROUP_SUFFIX}, got '${out}'`);
    }
    const bridge = await extractBridge(model, path, name, { overwrite: args.flag('overwrite'), say: output.line });
    output.line(`bridge of ${bridge.parameters.toLocaleString('en-US')} parameters in ${path}`);
    return { out: path, ...bridge };
  },
};
