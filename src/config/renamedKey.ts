import { z } from 'zod';

/** A schema of stored data that also takes an older file, where the key `now` was called `before`. */
export function renamedKey<Schema extends z.ZodType>(before: string, now: string, schema: Schema) {
  return z.preprocess((value) => {
    if (typeof value !== 'object' || value === null || !(before in value) || now in value) return value;
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key === before ? now : key, entry]));
  }, schema);
}
