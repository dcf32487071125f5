import { describeValue } from '#src/config';
import { UserError } from '#src/errors';
import { countLineEnds } from '#src/storage';

/** One record of a table. */
export interface CsvRecord {
  /** Number of its first line, from 1. */
  readonly line: number;
  readonly fields: readonly string[];
}

/**
 * The records of separated values, as in RFC 4180: quoted fields can contain separators, line ends and doubled quotes.
 * Blanks around a quoted field are passed over; blank lines are skipped.
 *
 * @param path the file that the text comes from, for the error message
 * @param separator one character
 * @throws UserError naming the line of a quote that never closes, or of text behind a closing one
 */
export function* csvRecords(text: string, path: string, separator = ','): Generator<CsvRecord> {
  const plain = new RegExp(`[^\\${separator}\\r\\n]*`, 'y');
  const lineEnd = /\r\n|\r|\n/y;
  let line = 1;
  for (let at = 0; at < text.length; ) {
    const firstLine = line;
    const fields: string[] = [];
    for (;;) {
      const quoted = readQuoted(text, at, separator);
      if (quoted === 'open') {
        throw new UserError(`${path}: line ${line}: expected a closing quote, got the end of the file`);
      }
      if (quoted !== undefined) {
        fields.push(quoted.field);
        line += countLineEnds(quoted.field);
        at = quoted.end;
      } else {
        plain.lastIndex = at;
        fields.push((plain.exec(text) as RegExpExecArray)[0]);
        at = plain.lastIndex;
      }
      if (text[at] !== separator) break;
      at++;
    }
    lineEnd.lastIndex = at;
    if (at < text.length && !lineEnd.test(text)) {
      throw new UserError(
        `${path}: line ${line}: expected a comma or the end of the line after a closing quote, got ${describeValue(text.slice(at, at + 20))}; double a quote inside quotes`,
      );
    }
    if (at < text.length) at = lineEnd.lastIndex;
    line++;
    if (fields.length > 1 || fields[0].trim() !== '') yield { line: firstLine, fields };
  }
}

/**
 * The quoted field at `start` and where it ends, blanks around it included; 'open' when it never does, undefined when the
 * field is none. Behind blanks, a field is quoted only if nothing follows its closing quote.
 */
function readQuoted(
  text: string,
  start: number,
  separator: string,
): { field: string; end: number } | 'open' | undefined {
  const first = skipBlanks(text, start, separator);
  if (text[first] !== '"') return undefined;
  const parts: string[] = [];
  for (let at = first + 1; ; ) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return first === start ? 'open' : undefined;
    parts.push(text.slice(at, quote));
    if (text[quote + 1] === '"') {
      at = quote + 2;
      continue;
    }
    const end = skipBlanks(text, quote + 1, separator);
    const isOver = end === text.length || text[end] === separator || text[end] === '\n' || text[end] === '\r';
    if (first !== start && !isOver) return undefined;
    return { field: parts.join('"'), end: isOver ? end : quote + 1 };
  }
}

function skipBlanks(text: string, start: number, separator: string): number {
  let at = start;
  while ((text[at] === ' ' || text[at] === '\t') && text[at] !== separator) at++;
  return at;
}
