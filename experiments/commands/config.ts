import type { Command } from '#src/cli';
import { ConfigError, didYouMean } from '#src/errors';
import { configReference, referenceText } from '../config/configReference.js';

/** `tokenfuse config`: every key of an experiment file. */
export const configCommand: Command = {
  name: 'config',
  summary: 'Show every key of a kind of experiment file: type, default, meaning',
  positionals: [
    { name: 'kind', description: 'kind of experiment file; without it the kinds are listed', optional: true },
  ],
  options: {},
  run: async (args, output) => {
    const kinds = configReference();
    const [asked] = args.positionals;
    if (asked === undefined) {
      const width = Math.max(...kinds.map(({ kind }) => kind.length));
      for (const { kind, purpose } of kinds) output.line(`${kind.padEnd(width)}  ${purpose}`);
      return { kinds: kinds.map(({ kind, purpose }) => ({ kind, purpose })) };
    }
    const names = kinds.map(({ kind }) => kind);
    const found = kinds.find(({ kind }) => kind === asked);
    if (found === undefined) {
      throw new ConfigError(
        `config: expected a kind of experiment file, got '${asked}'${didYouMean(asked, names)}; kinds: ${names.join(', ')}`,
      );
    }
    output.line(referenceText(found));
    return { ...found };
  },
};
