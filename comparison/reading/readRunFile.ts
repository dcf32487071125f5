import { UserError } from '#src/errors';
import { readJson } from '#src/storage';

/** Receives a line about a file that cannot be used; what it holds is left out, and the work goes on. */
export type Note = (line: string) => void;

export type JsonFields = Readonly<Record<string, unknown>>;

/** A JSON object in the folder of a run; undefined, with a note, for anything else. */
export function readRunFile(path: string, note: Note): JsonFields | undefined {
  return orNote(note, () => {
    const value = readJson(path, 'run file');
    if (isFields(value)) return value;
    throw new UserError(`${path}: expected a JSON object, got something else`);
  });
}

/** What `work` gives; undefined, with its message as a note, when a file makes it fail. */
export function orNote<T>(note: Note, work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    note(error.message);
    return undefined;
  }
}

function isFields(value: unknown): value is JsonFields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A field that is text; undefined for any other. */
export function textField(fields: JsonFields | undefined, name: string): string | undefined {
  const value = fields !== undefined && Object.hasOwn(fields, name) ? fields[name] : undefined;
  return typeof value === 'string' ? value : undefined;
}

/** A field that is a finite number; undefined for any other. */
export function numberField(fields: JsonFields | undefined, name: string): number | undefined {
  const value = fields !== undefined && Object.hasOwn(fields, name) ? fields[name] : undefined;
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** A field that is an object; undefined for any other. */
export function objectField(fields: JsonFields | undefined, name: string): JsonFields | undefined {
  const value = fields !== undefined && Object.hasOwn(fields, name) ? fields[name] : undefined;
  return isFields(value) ? value : undefined;
}
