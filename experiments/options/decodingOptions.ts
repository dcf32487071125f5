import { DECODING_OPTIONS_BY_METHOD, Decoding } from '#language';
import type { Arguments, OptionSpec } from '#src/cli';
import { expectation } from '#src/config';
import { ConfigError, didYouMean } from '#src/errors';

const METHODS = Object.keys(DECODING_OPTIONS_BY_METHOD) as Decoding['method'][];

const ALL = Object.fromEntries(METHODS.flatMap((method) => Object.entries(DECODING_OPTIONS_BY_METHOD[method])));

/** `topK` → `top-k` */
const flagOf = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

const takenBy = (key: string): Decoding['method'][] =>
  METHODS.filter((method) => key in DECODING_OPTIONS_BY_METHOD[method]);

/** Every key of `Decoding` as an option: `--decoding` for the method, `--top-k` for topK. */
export const DECODING_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  decoding: {
    description: `${METHODS.join(', ')}; default: the method that the other options imply`,
    placeholder: 'method',
  },
  ...Object.fromEntries(
    Object.entries(ALL).map(([key, { description, isList, defaultValue }]) => {
      const methods = takenBy(key);
      const whose = methods.length < METHODS.length ? `${methods.join(', ')}: ` : '';
      const standard = isList || defaultValue === undefined ? '' : ` (default ${defaultValue})`;
      const spec = { description: `${whose}${description}${standard}`, placeholder: isList ? 'text' : 'n' };
      return [flagOf(key), isList ? { ...spec, multiple: true } : spec];
    }),
  ),
};

/**
 * The decoding that the options ask for; without `--decoding` the plainest method that takes all that is given.
 *
 * @throws ConfigError for an unknown method, an option that has no effect on it, and values out of range
 */
export function decodingOf(args: Arguments): Decoding {
  const given: Record<string, unknown> = {};
  for (const [key, { isList }] of Object.entries(ALL)) {
    const flag = flagOf(key);
    const text = args.text(flag);
    if (isList && args.texts(flag).length > 0) given[key] = args.texts(flag);
    if (text === undefined) continue;
    const value = Number(text);
    given[key] = value;
    if (text.trim() === '' || !Number.isFinite(value)) {
      throw new ConfigError(`--${flag}: expected a number, got '${text}'`);
    }
  }
  const result = Decoding.safeParse({ method: methodOf(args.text('decoding'), Object.keys(given)), ...given });
  if (result.success) return result.data;
  throw new ConfigError(
    result.error.issues.map((issue) => {
      const key = String(issue.path[0]);
      const wanted = expectation(issue);
      const got = key in given && !wanted.includes('got') ? `, got ${JSON.stringify(given[key])}` : '';
      return `--${flagOf(key)}: ${wanted}${got}`;
    }),
  );
}

function methodOf(named: string | undefined, keys: readonly string[]): Decoding['method'] {
  const method = METHODS.find((candidate) =>
    named === undefined ? keys.every((key) => takenBy(key).includes(candidate)) : candidate === named,
  );
  if (method === undefined && named !== undefined) {
    throw new ConfigError(`--decoding: expected ${METHODS.join(', ')}; got '${named}'${didYouMean(named, METHODS)}`);
  }
  const idle = keys.find((key) => !takenBy(key).includes(method ?? takenBy(keys[0])[0]));
  if (idle !== undefined && method !== undefined) {
    throw new ConfigError(
      `--${flagOf(idle)}: has no effect on --decoding ${method}, only on ${takenBy(idle).join(' and ')}`,
    );
  }
  if (method !== undefined) return method;
  const owned = keys.filter((key) => takenBy(key).length === 1);
  const list = owned.map((key) => `--${flagOf(key)} (${takenBy(key)[0]})`).join(', ');
  throw new ConfigError(`expected options of one way of decoding, got ${list}`);
}
