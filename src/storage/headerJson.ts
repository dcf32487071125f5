/** As deep as serde_json goes, the parser of the format's own implementation. */
const MAX_DEPTH = 127;

const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?/y;
const WHITESPACE = /[ \t\n\r]*/y;

/** A value of a header; an object's keys are in the order of the text. */
export type HeaderValue = string | number | boolean | null | readonly HeaderValue[] | ReadonlyMap<string, HeaderValue>;

/**
 * JSON as the header of a safetensors file holds it. Unlike `JSON.parse` it refuses a key given twice and half a surrogate
 * pair, and a number that is not written as a whole one (`1.0`, `1e3`, `-0`) is NaN: a header counts with whole numbers only.
 *
 * @throws SyntaxError saying where and what
 */
export function parseHeaderJson(text: string): HeaderValue {
  let at = 0;
  const fail = (what: string): never => {
    throw new SyntaxError(`${what} at character ${at}`);
  };
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found) at = pattern.lastIndex;
    return found;
  };
  const skipWhitespace = (): void => void match(WHITESPACE);
  const take = (token: string): boolean => {
    if (!text.startsWith(token, at)) return false;
    at += token.length;
    return true;
  };
  const string = (): string => {
    const start = at++;
    while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
    if (at >= text.length) return fail('a text without end');
    at++;
    try {
      const value = JSON.parse(text.slice(start, at)) as string;
      if (!/\p{Surrogate}/u.test(value)) return value;
    } catch {
      // One message for both.
    }
    at = start;
    return fail('not a valid text');
  };
  const number = (): number => {
    const found = match(NUMBER);
    if (found === null) return fail('expected a value');
    if (!Number.isFinite(Number(found[0]))) return fail('a number out of range');
    const isWhole = found[1] === undefined && found[2] === undefined && !found[0].startsWith('-');
    return isWhole ? Number(found[0]) : Number.NaN;
  };
  /** Entries between brackets, separated by commas. */
  const entries = (close: string, entry: () => void): void => {
    at++;
    skipWhitespace();
    if (take(close)) return;
    do {
      skipWhitespace();
      entry();
      skipWhitespace();
    } while (take(','));
    if (!take(close)) fail(`expected ',' or '${close}'`);
  };
  const value = (depth: number): HeaderValue => {
    if (depth > MAX_DEPTH) return fail(`nested more than ${MAX_DEPTH} deep`);
    if (text[at] === '"') return string();
    if (text[at] === '[') {
      const list: HeaderValue[] = [];
      entries(']', () => list.push(value(depth + 1)));
      return list;
    }
    if (text[at] === '{') {
      const object = new Map<string, HeaderValue>();
      entries('}', () => {
        if (text[at] !== '"') fail('expected a key');
        const key = string();
        if (object.has(key)) fail(`'${key}' is given twice`);
        skipWhitespace();
        if (!take(':')) fail(`expected ':'`);
        skipWhitespace();
        object.set(key, value(depth + 1));
      });
      return object;
    }
    if (take('true')) return true;
    if (take('false')) return false;
    if (take('null')) return null;
    return number();
  };
  const result = value(1);
  skipWhitespace();
  if (at < text.length) fail('more than one value');
  return result;
}
