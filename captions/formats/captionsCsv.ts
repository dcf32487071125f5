import { describeValue } from '#src/config';
import { UserError } from '#src/errors';
import { addCaption, type NamedCaptions } from './namedCaptions.js';

const HEADER = ['image', 'caption'];

/** Whether a line is the header of a captions table. */
export function isCsvHeader(line: string): boolean {
  return line.trim().toLowerCase() === HEADER.join(',');
}

/**
 * Captions of a table with the header `image,caption`, one caption a record (Kaggle's copy of Flickr8k: `captions.txt`), in
 * the form of RFC 4180: a field in quotes may hold commas, line ends and, doubled, quotes.
 *
 * @throws UserError naming file, line and field
 */
export function parseCaptionsCsv(text: string, path: string): NamedCaptions {
  const captions: NamedCaptions = new Map();
  let header = false;
  for (const { line, fields } of csvRecords(text, path)) {
    const where = `${path}: line ${line}`;
    if (!header) {
      header = fields.map((field) => field.trim().toLowerCase()).join() === HEADER.join();
      if (header) continue;
      throw new UserError(`${where}: expected the header image,caption, got ${describeValue(fields.join())}`);
    }
    if (fields.length !== 2) {
      const hint = fields.length > 2 ? '; put a caption that holds a comma in quotes' : '';
      throw new UserError(`${where}: expected the 2 fields image and caption, got ${fields.length}${hint}`);
    }
    addCaption(captions, fields[0].trim(), fields[1].trim(), where);
  }
  return captions;
}

/** The records of comma-separated text, each with the number of its first line; blank lines are skipped. */
function* csvRecords(text: string, path: string): Generator<{ line: number; fields: string[] }> {
  const plain = /[^,\r\n]*/y;
  const lineEnd = /\r\n|\r|\n/y;
  let line = 1;
  for (let at = 0; at < text.length; ) {
    const firstLine = line;
    const fields: string[] = [];
    for (;;) {
      if (text[at] === '"') {
        const quoted = readQuoted(text, at);
        if (quoted === undefined)
          throw new UserError(`${path}: line ${line}: expected a closing quote, got the end of the file`);
        fields.push(quoted.field);
        line += quoted.field.match(/\r\n|\r|\n/g)?.length ?? 0;
        at = quoted.end;
      } else {
        plain.lastIndex = at;
        fields.push((plain.exec(text) as RegExpExecArray)[0]);
        at = plain.lastIndex;
      }
      if (text[at] !== ',') break;
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

/** The field that starts with the quote at `start`, and where it ends; undefined when it never does. */
function readQuoted(text: string, start: number): { field: string; end: number } | undefined {
  const parts: string[] = [];
  for (let at = start + 1; ; ) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return undefined;
    parts.push(text.slice(at, quote));
    if (text[quote + 1] !== '"') return { field: parts.join('"'), end: quote + 1 };
    at = quote + 2;
  }
}
