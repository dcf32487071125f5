import type { z } from 'zod';
import { ownValue } from './ownValue.js';

/** What a schema of any type may hold of others. */
interface Definition {
  readonly type: string;
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
  readonly element?: z.core.$ZodType;
  readonly valueType?: z.core.$ZodType;
  readonly innerType?: z.core.$ZodType;
  readonly in?: z.core.$ZodType;
  readonly out?: z.core.$ZodType;
  readonly options?: readonly z.core.$ZodType[];
  readonly discriminator?: string;
  readonly items?: readonly z.core.$ZodType[];
  readonly entries?: Readonly<Record<string, string | number>>;
  readonly values?: readonly unknown[];
  readonly defaultValue?: unknown;
}

export function definitionOf(schema: z.core.$ZodType): Definition {
  return schema._zod.def as unknown as Definition;
}

/** The schema below optional, default and pipe wrappers: the one that a file's value must fit. */
export function innermost(schema: z.core.$ZodType): z.core.$ZodType {
  const { innerType, in: input, out } = definitionOf(schema);
  if (innerType) return innermost(innerType);
  if (input && definitionOf(input).type !== 'transform') return innermost(input);
  return out ? innermost(out) : schema;
}

/** The schemas that may hold at a path, over all branches on the way that the value's discriminators allow. */
export function schemasAt(schema: z.core.$ZodType, path: readonly PropertyKey[], value: unknown): z.core.$ZodType[] {
  let level = branches(schema, value);
  let inside = value;
  for (const key of path) {
    inside = ownValue(inside, key);
    level = schemasBelow(level, key, inside);
  }
  return level;
}

/** The schemas that may hold for the value under a key of what `here` describes. */
export function schemasBelow(here: readonly z.core.$ZodType[], key: PropertyKey, value: unknown): z.core.$ZodType[] {
  return here.flatMap((type) => {
    const { shape, element, valueType } = definitionOf(type);
    const below = shape ? (ownValue(shape, String(key)) as z.core.$ZodType | undefined) : (element ?? valueType);
    return below ? branches(below, value) : [];
  });
}

/** The keys of those of the schemas that are objects. */
export function keysOf(schemas: readonly z.core.$ZodType[]): string[] {
  return [...new Set(schemas.flatMap((schema) => Object.keys(definitionOf(schema).shape ?? {})))];
}

/** The options of a union, of a discriminated one only that which the value names; otherwise the schema alone. */
function branches(schema: z.core.$ZodType, value: unknown): z.core.$ZodType[] {
  const inner = innermost(schema);
  const { options, discriminator } = definitionOf(inner);
  if (options === undefined) return [inner];
  const kind = discriminator && ownValue(value, discriminator);
  const own = options.filter(
    (option) => kind !== undefined && option._zod.propValues?.[discriminator as string]?.has(kind as string),
  );
  return (own.length > 0 ? own : options).flatMap((option) => branches(option, value));
}
