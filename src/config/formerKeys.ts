import { z } from 'zod';
import { ownValue } from './ownValue.js';
import { keysOf, schemasAt, schemasBelow } from './schemaAt.js';

const formerNames = z.registry<{ readonly names: ReadonlyMap<string, string> }>();

/**
 * Declares the former names of an object's keys: a file that still has one is read as if it had the present one.
 *
 * @param names former key → present path below the same object, such as `dModel: 'stack.dModel'`
 */
export function formerKeys<Schema extends z.ZodType>(schema: Schema, names: Readonly<Record<string, string>>): Schema {
  formerNames.add(schema, { names: new Map(Object.entries(names)) });
  return schema;
}

/** The present path of a former key of these objects. */
export function presentName(here: readonly z.core.$ZodType[], key: string): string | undefined {
  return here.map((schema) => formerNames.get(schema)?.names.get(key)).find((found) => found !== undefined);
}

/** A value that stood under a former name. */
export interface MovedKey {
  readonly from: readonly string[];
  readonly to: readonly string[];
}

/** A value with all former keys under their present names; one whose present place is taken stays where it is. */
export function moveFormerKeys(schema: z.ZodType, value: unknown): { value: unknown; moved: MovedKey[] } {
  const moved: MovedKey[] = [];
  return { value: moveInside(schemasAt(schema, [], value), value, [], moved), moved };
}

function moveInside(
  here: readonly z.core.$ZodType[],
  value: unknown,
  path: readonly string[],
  moved: MovedKey[],
): unknown {
  if (typeof value !== 'object' || value === null || here.length === 0) return value;
  let result = value;
  const known = new Set(keysOf(here));
  for (const key of Array.isArray(value) ? [] : Object.keys(value)) {
    const present = known.has(key) ? undefined : presentName(here, key)?.split('.');
    const after = present && moveKey(result, key, present);
    if (present === undefined || after === undefined) continue;
    result = after;
    moved.push({ from: [...path, key], to: [...path, ...present] });
  }
  for (const key of Object.keys(result)) {
    const before = ownValue(result, key);
    const after = moveInside(schemasBelow(here, key, before), before, [...path, key], moved);
    if (after !== before) result = withValue(result, key, after);
  }
  return result;
}

/** Undefined where the present place is taken, or cannot be. */
function moveKey(group: object, key: string, [first, ...rest]: readonly string[]): object | undefined {
  const { [key]: value, ...others } = group as Record<string, unknown>;
  const placed = placedAt(others[first], rest, value);
  return placed === undefined ? undefined : { ...others, [first]: placed };
}

function placedAt(level: unknown, path: readonly string[], value: unknown): unknown {
  if (path.length === 0) return level === undefined ? value : undefined;
  if (level === undefined || level === null) level = {};
  if (typeof level !== 'object' || Array.isArray(level)) return undefined;
  const placed = placedAt(ownValue(level, path[0]), path.slice(1), value);
  return placed === undefined ? undefined : { ...level, [path[0]]: placed };
}

/** A copy of a list or a group of keys that holds a value under a key. */
function withValue(level: object, key: string, value: unknown): object {
  if (!Array.isArray(level)) return { ...level, [key]: value };
  return level.map((entry, i) => (String(i) === key ? value : entry));
}

/** Where a path that may hold former names leads now. */
export function presentPath(schema: z.ZodType, path: readonly string[], value: unknown): string[] {
  const result: string[] = [];
  let here = schemasAt(schema, [], value);
  let inside = value;
  for (let rest = [...path]; rest.length > 0; ) {
    const [key, ...others] = rest;
    const present = keysOf(here).includes(key) ? undefined : presentName(here, key);
    if (present !== undefined) {
      rest = [...present.split('.'), ...others];
      continue;
    }
    inside = ownValue(inside, key);
    here = schemasBelow(here, key, inside);
    result.push(key);
    rest = others;
  }
  return result;
}
