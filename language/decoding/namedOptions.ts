import { expectation } from '#src/config';
import { ConfigError, didYouMean } from '#src/errors';
import { DECODING_OPTIONS_BY_METHOD, Decoding, type DecodingOption } from './decoding.js';

/** The ways of decoding by name. */
export const DECODING_METHODS = Object.keys(DECODING_OPTIONS_BY_METHOD) as Decoding['method'][];

/** An option by the name that command lines and requests give it. */
export interface NamedDecodingOption extends DecodingOption {
  /** In `Decoding`. */
  readonly key: string;
  /** The ways of decoding that it has an effect on. */
  readonly methods: readonly Decoding['method'][];
}

/** `topK` → `top-k` */
const nameOf = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

const takenBy = (key: string): Decoding['method'][] =>
  DECODING_METHODS.filter((method) => key in DECODING_OPTIONS_BY_METHOD[method]);

/** Every key of `Decoding` but the method by its name: `top-k` for topK. The method is named `decoding`. */
export const NAMED_DECODING_OPTIONS: ReadonlyMap<string, NamedDecodingOption> = new Map(
  DECODING_METHODS.flatMap((method) => Object.entries(DECODING_OPTIONS_BY_METHOD[method])).map(([key, option]) => [
    nameOf(key),
    { ...option, key, methods: takenBy(key) },
  ]),
);

/** Options as text, by name. */
export interface OptionTexts {
  text(name: string): string | undefined;
  texts(name: string): readonly string[];
}

/**
 * The decoding that options ask for; without `decoding` the plainest method that takes all that is given.
 *
 * @param start before names in messages, `--` on a command line
 * @throws ConfigError for an unknown method, an option that has no effect on it, and values out of range
 */
export function decodingOfTexts(texts: OptionTexts, start: string): Decoding {
  const given: Record<string, unknown> = {};
  for (const [name, { key, isList }] of NAMED_DECODING_OPTIONS) {
    if (isList && texts.texts(name).length > 0) given[key] = texts.texts(name);
    const text = isList ? undefined : texts.text(name);
    if (text === undefined) continue;
    const value = Number(text);
    given[key] = value;
    if (text.trim() === '' || !Number.isFinite(value)) {
      throw new ConfigError(`${start}${name}: expected a number, got '${text}'`);
    }
  }
  const method = methodOf(texts.text('decoding'), Object.keys(given), start);
  const result = Decoding.safeParse({ method, ...given });
  if (result.success) return result.data;
  throw new ConfigError(
    result.error.issues.map((issue) => {
      const key = String(issue.path[0]);
      const wanted = expectation(issue);
      const got = key in given && !wanted.includes('got') ? `, got ${JSON.stringify(given[key])}` : '';
      return `${start}${nameOf(key)}: ${wanted}${got}`;
    }),
  );
}

function methodOf(named: string | undefined, keys: readonly string[], start: string): Decoding['method'] {
  const method = DECODING_METHODS.find((candidate) =>
    named === undefined ? keys.every((key) => takenBy(key).includes(candidate)) : candidate === named,
  );
  if (method === undefined && named !== undefined) {
    throw new ConfigError(
      `${start}decoding: expected ${DECODING_METHODS.join(', ')}; got '${named}'${didYouMean(named, DECODING_METHODS)}`,
    );
  }
  const idle = keys.find((key) => !takenBy(key).includes(method ?? takenBy(keys[0])[0]));
  if (idle !== undefined && method !== undefined) {
    throw new ConfigError(
      `${start}${nameOf(idle)}: has no effect on ${start}decoding ${method}, only on ${takenBy(idle).join(' and ')}`,
    );
  }
  if (method !== undefined) return method;
  const owned = keys.filter((key) => takenBy(key).length === 1);
  const list = owned.map((key) => `${start}${nameOf(key)} (${takenBy(key)[0]})`).join(', ');
  throw new ConfigError(`expected options of one way of decoding, got ${list}`);
}
