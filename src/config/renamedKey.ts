import { z } from 'zod';

/** A schema for stored data that also accepts older files, in which the key `now` was called `before`. */
export function renamedKey<Schema extends z.ZodType>(before: string, now: string, schema: Schema) {
  return z.preprocess((value) => {
    if (typeof value !== 'object' || value === null || !(before in value) || now in value) return value;
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key === before ? now : key, entry]));
  }, schema);
}
