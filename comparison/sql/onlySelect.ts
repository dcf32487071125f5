import { ConfigError, shownText } from '#src/errors';

/** Comments, strings and quoted names: nothing in them is a keyword or ends a statement. */
const OPAQUE = /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]/g;

/**
 * A statement that reads, SELECT, WITH … or VALUES, without comments and the semicolon at its end. It is run inside of
 * parentheses, where SQLite takes nothing else.
 *
 * @throws ConfigError in one line for anything else
 */
export function onlySelect(sql: string): string {
  const body = sql
    .replace(OPAQUE, (part) => (/^(--|\/\*)/.test(part) ? ' ' : part))
    .trim()
    .replace(/[;\s]+$/, '');
  const words = body.replace(OPAQUE, 'x');
  const [first = ''] = /^[A-Za-z]+/.exec(words) ?? [];
  if (!['SELECT', 'WITH', 'VALUES'].includes(first.toUpperCase())) {
    throw new ConfigError(`runs sql: expected a SELECT, got '${shownText(sql.trim())}'; nothing can be changed`);
  }
  if (words.includes(';')) {
    throw new ConfigError(`runs sql: expected one statement, got several in '${shownText(sql.trim())}'`);
  }
  return body;
}
