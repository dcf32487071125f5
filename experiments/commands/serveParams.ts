import { resolve } from 'node:path';
import { readAnyModel } from '#fusion';
import { type Command, interruption, type Output } from '#src/cli';
import {
  chooseGroups,
  groupPaths,
  groupsSha256,
  holdGroups,
  nameOf,
  REMOTE_TOKEN_VARIABLE,
  serveGroups,
} from '#src/remote';
import { ParameterTree } from '#src/tokenformer';
import { findCheckpoint } from '#src/training';
import { ENGINE_OPTIONS, listenAddressOf, listenOptions, startEngine, tokenDetails } from '../options/index.js';

const PORT = 7331;

/** Time for requests that have come, once a signal asks the server to end. */
const GRACE_MS = 2000;

/** `tokenfuse serve-params`: holds groups of a model for other processes. */
export const serveParamsCommand: Command = {
  name: 'serve-params',
  summary: 'Hold groups of parameter tokens of a model, and compute what they contribute for other processes',
  details:
    'generate, caption and evaluate ask it by --remote. It answers until a signal ends it; requests that have come are still ' +
    'answered.\n' +
    tokenDetails(REMOTE_TOKEN_VARIABLE),
  positionals: [
    { name: 'model', description: 'a vision, language, merged or aligned model: run directory or checkpoint' },
  ],
  options: {
    groups: {
      description:
        "groups to hold, separated by commas: names (language, '*Bridge') or paths ('block*/ffn/language'); default: all",
      placeholder: 'patterns',
    },
    ...listenOptions(PORT),
    ...ENGINE_OPTIONS,
  },
  run: async (args, output) => {
    const address = listenAddressOf(args, PORT, REMOTE_TOKEN_VARIABLE);
    const directory = findCheckpoint(args.positionals[0]);
    const { tensors } = readAnyModel(directory);
    const paths = chooseGroups(groupPaths(tensors.keys()), args.text('groups') ?? '*', '--groups');
    const engine = await startEngine(args, output);
    const tree = new ParameterTree(
      new Map([...tensors].filter(([name]) => paths.includes(name.slice(0, name.lastIndexOf('/'))))),
    );
    try {
      const held = await holdGroups(tree, paths);
      const sha256 = groupsSha256(held.groups);
      const counts = await interruption.waitFor(async () => {
        const ended = interruption.ended();
        const server = await serveGroups(held, { ...address, onFailure: (error) => sayFailure(error, output) });
        const names = [...new Set(paths.map(nameOf))].join(', ');
        output.line(`${paths.length} groups (${names}) of ${resolve(directory)}, SHA-256 ${sha256.slice(0, 12)}…`);
        output.line(`serving at ${server.url}${address.token === undefined ? ', without a token' : ''}`);
        await ended;
        await server.close(GRACE_MS);
        return server.counts();
      });
      const { answered, refused } = counts;
      output.line(`${answered} requests answered, ${refused} refused`);
      return { model: directory, groups: paths.length, sha256, engine, ...counts };
    } finally {
      tree.dispose();
    }
  },
};

function sayFailure(error: unknown, { line }: Output): void {
  line(`a request failed: ${error instanceof Error ? error.message : String(error)}`);
}
