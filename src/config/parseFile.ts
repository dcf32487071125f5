import type { z } from 'zod';
import { printable, UserError } from '#src/errors';
import { expectation } from './expectation.js';

/**
 * A value that passed the schema.
 *
 * @param schema whose messages name what is expected, such as 'an integer'
 * @param path the file that the value comes from, for the error message
 * @param at the field of the file that the value is
 * @throws UserError `file: entry.field: expected ..., got ...` for the first problem, with the number of further ones
 */
export function parseFile<T>(schema: z.ZodType<T>, value: unknown, path: string, at: readonly PropertyKey[] = []): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [first, ...more] = result.error.issues;
  const found = valueAt(value, first.path);
  const words = expectation(first);
  const wanted = words.startsWith('expected ') ? words : `expected ${words}`;
  const rest = more.length === 0 ? '' : ` (and ${more.length} more ${more.length === 1 ? 'problem' : 'problems'})`;
  throw new UserError(`${path}: ${fieldName([...at, ...first.path])}: ${wanted}, got ${describeValue(found)}${rest}`);
}

/** A value short enough for one line. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value === 'number') return String(value);
  const text = printable(JSON.stringify(typeof value === 'string' ? value.slice(0, 60) : value));
  return typeof value === 'string' && value.length > 60 ? `${text.slice(0, -1)}..."` : text;
}

/** `annotations[3].caption`. */
function fieldName(path: readonly PropertyKey[]): string {
  const name = path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${printable(String(key))}`))
    .join('')
    .replace(/^\./, '');
  return name === '' ? 'the file' : name;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = (found as Record<PropertyKey, unknown>)[key];
  }
  return found;
}
