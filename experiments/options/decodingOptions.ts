import { DECODING_METHODS, type Decoding, decodingOfTexts, NAMED_DECODING_OPTIONS } from '#language';
import type { Arguments, OptionSpec } from '#src/cli';

/** Every key of `Decoding` as an option: `--decoding` for the method, `--top-k` for topK. */
export const DECODING_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  decoding: {
    description: `${DECODING_METHODS.join(', ')}; default: the method that the other options imply`,
    placeholder: 'method',
  },
  ...Object.fromEntries(
    [...NAMED_DECODING_OPTIONS].map(([name, { description, isList, defaultValue, methods }]) => {
      const whose = methods.length < DECODING_METHODS.length ? `${methods.join(', ')}: ` : '';
      const standard = isList || defaultValue === undefined ? '' : ` (default ${defaultValue})`;
      const spec = { description: `${whose}${description}${standard}`, placeholder: isList ? 'text' : 'n' };
      return [name, isList ? { ...spec, multiple: true } : spec];
    }),
  ),
};

/**
 * The decoding that the options ask for; without `--decoding` the plainest method that takes all that is given.
 *
 * @throws ConfigError for an unknown method, an option that has no effect on it, and values out of range
 */
export function decodingOf(args: Arguments): Decoding {
  return decodingOfTexts(args, '--');
}
