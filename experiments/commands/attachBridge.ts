import { resolve } from 'node:path';
import { attachBridge } from '#fusion';
import type { Command } from '#src/cli';
import { printable } from '#src/errors';
import { OVERWRITE_OPTION } from '../options/index.js';

/** `tokenfuse attach-bridge`: a bridge in another merged model of the same backbones. */
export const attachBridgeCommand: Command = {
  name: 'attach-bridge',
  summary: 'Put a bridge from a file into a merged model of the same backbones',
  details:
    'Both backbones must have the SHA-256 that the bridge was aligned with. The fusion becomes that of the bridge.',
  positionals: [
    { name: 'model', description: 'a merged or aligned model: run directory or checkpoint' },
    { name: 'bridge', description: 'a file that extract-bridge wrote' },
    { name: 'out', description: 'folder for the model with the bridge' },
  ],
  options: OVERWRITE_OPTION,
  run: async (args, output) => {
    const [model, bridge, out] = args.positionals;
    const outDir = resolve(out);
    const { name, parameters } = await attachBridge(model, bridge, outDir, {
      overwrite: args.flag('overwrite'),
      say: output.line,
    });
    output.line(`model with bridge '${printable(name)}' in ${outDir}`);
    return { outDir, name, parameters };
  },
};
