import { z } from 'zod';
import { definitionOf, innermost } from './schemaAt.js';
import { typeWords } from './typeWords.js';

/** One key of a configuration, as its schema describes it. */
export interface ConfigKey {
  readonly name: string;
  readonly type: string;
  readonly isRequired: boolean;
  /** Undefined where there is none. */
  readonly default?: unknown;
  readonly meaning: string;
  /** True where the value is a list, each entry of which has `keys` or is one of `variants`. */
  readonly isList: boolean;
  /** True where the value is a group of names of the file's own, each of which has `keys`. */
  readonly isByName: boolean;
  /** Keys inside it, of every variant where it has some. */
  readonly keys: readonly ConfigKey[];
  readonly variants: readonly ConfigVariant[];
  /** Path of the key that has the same keys inside, listed there alone. */
  readonly sameAs?: string;
}

/** One of several groups of keys, told by the value of one of them. */
export interface ConfigVariant {
  /** Such as `kind`. */
  readonly key: string;
  readonly value: string;
  readonly meaning: string;
  readonly keys: readonly ConfigKey[];
}

/** Every key of an experiment's schema, in its order; the literal that tells its kind is left out. */
export function configKeys(schema: z.ZodObject): ConfigKey[] {
  return keysInside(schema, [], new Map());
}

function keysInside(
  schema: z.core.$ZodType,
  path: readonly string[],
  listed: Map<unknown, string>,
  leaveOut: ReadonlySet<string> = new Set(),
): ConfigKey[] {
  return Object.entries(definitionOf(schema).shape ?? {})
    .filter(([name, type]) => !leaveOut.has(name) && definitionOf(type).type !== 'literal')
    .map(([name, type]) => configKey(name, type, [...path, name], listed));
}

function configKey(
  name: string,
  schema: z.core.$ZodType,
  path: readonly string[],
  listed: Map<unknown, string>,
): ConfigKey {
  const { element, valueType } = definitionOf(innermost(schema));
  const entry = innermost(element ?? valueType ?? schema);
  const place = element ? [...path.slice(0, -1), `${name}[]`] : valueType ? [...path, '<name>'] : path;
  const groups = groupsOf(entry);
  const definition = entry._zod.def;
  const sameAs = groups.length > 0 ? listed.get(definition) : undefined;
  if (groups.length > 0 && sameAs === undefined) listed.set(definition, path.join('.'));
  return {
    name,
    type: typeWords(schema),
    ...presence(schema),
    meaning: meaningOf(schema),
    isList: element !== undefined,
    isByName: valueType !== undefined,
    ...(sameAs === undefined ? inside(entry, groups, place, listed) : { keys: [], variants: [], sameAs }),
  };
}

function inside(
  entry: z.core.$ZodType,
  groups: readonly z.core.$ZodType[],
  path: readonly string[],
  listed: Map<unknown, string>,
): Pick<ConfigKey, 'keys' | 'variants'> {
  const discriminator = discriminatorOf(entry);
  if (discriminator === undefined)
    return { keys: groups.flatMap((group) => keysInside(group, path, listed)), variants: [] };
  const shapes = groups.map((group) => definitionOf(group).shape ?? {});
  // A key that every variant has, by the same schema, is listed once.
  const common = new Set(
    Object.keys(shapes[0]).filter((key) => shapes.every((shape) => shape[key] === shapes[0][key])),
  );
  const own = new Set(Object.keys(shapes[0]).filter((key) => !common.has(key)));
  return {
    keys: keysInside(groups[0], path, listed, own),
    variants: groups.map((group, i) => ({
      key: discriminator,
      value: typeWords(shapes[i][discriminator]),
      meaning: meaningOf(group),
      keys: keysInside(group, path, listed, common),
    })),
  };
}

/** The objects that a value may be: the schema itself, or those among a union's options. */
function groupsOf(schema: z.core.$ZodType): z.core.$ZodType[] {
  const inner = innermost(schema);
  const { type, options } = definitionOf(inner);
  return options ? options.flatMap(groupsOf) : type === 'object' ? [inner] : [];
}

function discriminatorOf(schema: z.core.$ZodType): string | undefined {
  const { discriminator, options } = definitionOf(innermost(schema));
  return discriminator ?? options?.map(discriminatorOf).find((found) => found !== undefined);
}

/** The outermost description: `schema.default(3).describe('…')` goes before what is said inside. */
function meaningOf(schema: z.core.$ZodType): string {
  const { innerType, in: input } = definitionOf(schema);
  const own = z.globalRegistry.get(schema)?.description;
  const below = innerType ?? input;
  return own ?? (below ? meaningOf(below) : '');
}

function presence(schema: z.core.$ZodType): Pick<ConfigKey, 'isRequired' | 'default'> {
  const { type, innerType, in: input, defaultValue } = definitionOf(schema);
  // A group of which everything may be left out has the defaults of its keys.
  if (type === 'prefault' && JSON.stringify(defaultValue) === '{}') return { isRequired: false };
  if (type === 'default' || type === 'prefault') return { isRequired: false, default: defaultValue };
  if (type === 'optional') return { isRequired: false };
  const below = innerType ?? input;
  return below ? presence(below) : { isRequired: true };
}
