import { z } from 'zod';

const formerNames = z.registry<{ readonly names: Readonly<Record<string, string>> }>();

/**
 * Declares the former names of an object's keys: a file that still has one is refused with the key's present name.
 *
 * @param names former key → present path below the same object, such as `dModel: 'stack.dModel'`
 */
export function formerKeys<Schema extends z.ZodType>(schema: Schema, names: Readonly<Record<string, string>>): Schema {
  formerNames.add(schema, { names });
  return schema;
}

/** The present path of a former key of this object. */
export function presentName(schema: z.core.$ZodType, key: string): string | undefined {
  return formerNames.get(schema)?.names[key];
}
