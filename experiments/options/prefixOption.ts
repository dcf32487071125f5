import { type BackbonePrefix, PREFIX_FORMS, parseBackbonePrefix } from '#fusion';
import type { Arguments, OptionSpec } from '#src/cli';
import { ConfigError } from '#src/errors';

/** For commands that run a trained model: a smaller model, made of the first parameter tokens. */
export const PREFIX_OPTION: Readonly<Record<string, OptionSpec>> = {
  prefix: {
    description:
      'first parameter tokens of each group to use (default: all), as 50%, 64 or vision=25%,language=50%, of a model that was ' +
      'trained with training.nested; docs/elastic.md',
    placeholder: 'n',
  },
};

/**
 * What `--prefix` asks for; undefined without it.
 *
 * @throws ConfigError for anything but one of its forms
 */
export function prefixOf(args: Arguments): BackbonePrefix | undefined {
  const text = args.text('prefix');
  if (text === undefined) return undefined;
  const prefix = parseBackbonePrefix(text);
  if (prefix === undefined) throw new ConfigError(`--prefix: expected ${PREFIX_FORMS}, got '${text}'`);
  return prefix;
}
