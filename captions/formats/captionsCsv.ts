import { describeValue } from '#src/config';
import { UserError } from '#src/errors';
import { firstLine } from './captionText.js';
import { type CsvRecord, csvRecords } from './csvRecords.js';
import { addCaption, type NamedCaptions } from './namedCaptions.js';

/** The columns that are read. */
const COLUMNS = ['image', 'caption'] as const;

/** Separators of tables that are recognized; all but the comma are refused by their names. */
const SEPARATORS: Readonly<Record<string, string>> = { ',': 'commas', ';': 'semicolons', '\t': 'tabs', '|': 'bars' };

/** Whether a text starts with the header of a captions table, whatever separates its columns. */
export function isCaptionsTable(text: string): boolean {
  return separatorOf(firstLine(text)) !== undefined;
}

/**
 * Captions of a CSV file whose header has the columns `image` and `caption`, in any order, case and company, and one record
 * per caption (Kaggle's copy of Flickr8k: `captions.txt`).
 *
 * @throws UserError naming file, line and field
 */
export function parseCaptionsCsv(text: string, path: string): NamedCaptions {
  const captions: NamedCaptions = new Map();
  const separator = separatorOf(firstLine(text));
  if (separator !== undefined && separator !== ',') {
    throw new UserError(`${path}: expected a table separated by commas, got one separated by ${SEPARATORS[separator]}`);
  }
  const records = csvRecords(text, path);
  const header = records.next();
  if (header.done) return captions;
  const [image, caption] = COLUMNS.map((name) => columnOf(name, header.value, path));
  const { length } = header.value.fields;
  for (const { line, fields } of records) {
    const where = `${path}: line ${line}`;
    if (fields.length !== length) {
      const expected = length === 2 ? 'the 2 fields image and caption' : `the ${length} fields of the header`;
      throw new UserError(`${where}: expected ${expected}, got ${fields.length}${hint(fields, length)}`);
    }
    addCaption(captions, fields[image].trim(), fields[caption], where);
  }
  return captions;
}

/** The separator by which a line is a header; undefined when it is none. */
function separatorOf(line: string): string | undefined {
  return Object.keys(SEPARATORS).find((separator) => {
    const names = headerNames(line, separator);
    return COLUMNS.every((name) => names.includes(name));
  });
}

function headerNames(line: string, separator: string): string[] {
  try {
    return [...csvRecords(line, '', separator)].flatMap(({ fields }) => fields.map(nameOf));
  } catch {
    return [];
  }
}

function nameOf(field: string): string {
  return field.trim().toLowerCase();
}

function columnOf(name: string, { line, fields }: CsvRecord, path: string): number {
  const names = fields.map(nameOf);
  const column = names.indexOf(name);
  if (column < 0) {
    throw new UserError(
      `${path}: line ${line}: expected the header image,caption, got ${describeValue(fields.join())}`,
    );
  }
  if (names.lastIndexOf(name) !== column) {
    throw new UserError(
      `${path}: line ${line}: expected one column ${name}, got several in ${describeValue(fields.join())}`,
    );
  }
  return column;
}

function hint(fields: readonly string[], expected: number): string {
  if (fields.length > expected) return '; put captions that contain commas in quotes';
  const other = Object.keys(SEPARATORS).find((separator) => separator !== ',' && fields[0].includes(separator));
  return fields.length > 1 || other === undefined ? '' : `; separated by ${SEPARATORS[other]}? expected commas`;
}
