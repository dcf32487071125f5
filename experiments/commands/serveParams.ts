import { resolve } from 'node:path';
import { readAnyModel } from '#fusion';
import { type Command, interruption, type Output } from '#src/cli';
import { ConfigError, printable } from '#src/errors';
import {
  chooseGroups,
  groupPaths,
  groupsSha256,
  holdGroups,
  isLoopback,
  nameOf,
  readToken,
  serveGroups,
  TOKEN_VARIABLE,
} from '#src/remote';
import { ParameterTree } from '#src/tokenformer';
import { findCheckpoint } from '#src/training';
import { ENGINE_OPTIONS, startEngine, wholeNumber } from '../options/index.js';

/** Time for requests that have come, once a signal asks the server to end. */
const GRACE_MS = 2000;

/** `tokenfuse serve-params`: holds groups of a model for other processes. */
export const serveParamsCommand: Command = {
  name: 'serve-params',
  summary: 'Hold groups of parameter tokens of a model, and compute what they contribute for other processes',
  details:
    'generate, caption and evaluate ask it by --remote. It answers until a signal ends it; requests that have come are still ' +
    'answered.\n' +
    `The token that clients must show is in --token-file or the variable ${TOKEN_VARIABLE}, at least 16 characters; without one, any ` +
    'program on this machine may ask, and no other host can be given.',
  positionals: [
    { name: 'model', description: 'a vision, language, merged or aligned model: run directory or checkpoint' },
  ],
  options: {
    groups: {
      description:
        "groups to hold, separated by commas: names (language, '*Bridge') or paths ('block*/ffn/language'); default: all",
      placeholder: 'patterns',
    },
    host: { description: 'address to listen at (default 127.0.0.1: this machine alone)', placeholder: 'address' },
    port: { description: 'port to listen at; 0: any free one (default 7331)', placeholder: 'n' },
    'token-file': { description: 'file with the token', placeholder: 'file' },
    ...ENGINE_OPTIONS,
  },
  run: async (args, output) => {
    const host = args.text('host') ?? '127.0.0.1';
    const port = wholeNumber(args, 'port', 0, 7331);
    if (port > 65535) throw new ConfigError(`--port: expected a number up to 65535, got ${port}`);
    const token = readToken(args.text('token-file'));
    if (token === undefined && !isLoopback(host)) {
      throw new ConfigError(
        `--host ${printable(host)}: expected a token, as others can reach it: --token-file or ${TOKEN_VARIABLE}; make one with: openssl rand -hex 32`,
      );
    }
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
        const ended = endingSignal();
        const server = await serveGroups(held, { host, port, token, onFailure: (error) => sayFailure(error, output) });
        const names = [...new Set(paths.map(nameOf))].join(', ');
        output.line(`${paths.length} groups (${names}) of ${resolve(directory)}, SHA-256 ${sha256.slice(0, 12)}…`);
        output.line(`serving at ${server.url}${token === undefined ? ', without a token' : ''}`);
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

/** Ends with the first signal that asks this process to end. */
function endingSignal(): Promise<void> {
  return new Promise((resolve) => {
    const check = (): void => {
      if (interruption.signal === undefined) return;
      stop();
      resolve();
    };
    const stop = interruption.listen(check);
    check();
  });
}

function sayFailure(error: unknown, { line }: Output): void {
  line(`a request failed: ${error instanceof Error ? error.message : String(error)}`);
}
