import { dirname, resolve } from 'node:path';
import { isMap, isScalar, LineCounter, parseDocument, YAMLMap } from 'yaml';
import type { z } from 'zod';
import { ConfigError, didYouMean } from '#src/errors';
import { readBytes } from '#src/storage';
import { describeValue } from './parseFile.js';

/** A parsed configuration and the folder that its relative paths are resolved against. */
export interface LoadedConfig<T> {
  readonly config: T;
  readonly path: string;
  readonly baseDir: string;
}

/**
 * Reads a YAML file, applies `--set a.b=value` overrides and checks the whole against a strict schema.
 * All problems are reported at once, each with its line; for an unknown key, the closest known key is suggested.
 *
 * @throws ConfigError with one line per problem
 */
export function loadConfig<S extends z.ZodType>(
  path: string,
  schema: S,
  overrides: readonly string[] = [],
): LoadedConfig<z.output<S>> {
  const text = readBytes(path, 'configuration').toString('utf8');
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, uniqueKeys: true });
  if (document.errors.length > 0) {
    throw new ConfigError(document.errors.map((error) => `${path}: ${error.message.split('\n')[0]}`));
  }
  for (const override of overrides) applyOverride(document, override);
  const lineOf = (keys: readonly PropertyKey[]): string => {
    for (let length = keys.length; length > 0; length--) {
      const parent = document.getIn(keys.slice(0, length - 1), true);
      const key = String(keys[length - 1]);
      const pair = isMap(parent)
        ? parent.items.find((item) => isScalar(item.key) && String(item.key.value) === key)
        : undefined;
      const range = isScalar(pair?.key) ? pair.key.range : undefined;
      if (range) return `:${lineCounter.linePos(range[0]).line}`;
    }
    return '';
  };
  const value = toValue(document, path);
  const result = schema.safeParse(value);
  if (!result.success) {
    throw new ConfigError(
      describeIssues(result.error.issues, schema, value).map(({ keys, text }) => `${path}${lineOf(keys)}: ${text}`),
    );
  }
  return { config: result.data, path, baseDir: dirname(resolve(path)) };
}

/** Checks a value that does not come from a file, such as a checkpoint's own config. */
export function parseConfig<S extends z.ZodType>(value: unknown, schema: S, what: string): z.output<S> {
  const result = schema.safeParse(value);
  if (!result.success) {
    throw new ConfigError(describeIssues(result.error.issues, schema, value).map(({ text }) => `${what}: ${text}`));
  }
  return result.data;
}

/** The document as plain values; unresolved aliases, or too many of them, are detected only here. */
function toValue(document: ReturnType<typeof parseDocument>, path: string): unknown {
  try {
    return document.toJS() ?? {};
  } catch (error) {
    throw new ConfigError(`${path}: ${(error as Error).message.split('\n')[0]}`);
  }
}

interface Problem {
  readonly keys: readonly PropertyKey[];
  readonly text: string;
}

function describeIssues(
  issues: readonly z.core.$ZodIssue[],
  schema: z.ZodType,
  value: unknown,
  prefix: readonly PropertyKey[] = [],
): Problem[] {
  return issues.flatMap((issue): Problem[] => {
    const keys = [...prefix, ...issue.path];
    const where = keys.length === 0 ? 'the whole file' : `'${keys.map(String).join('.')}'`;
    const found = keys.reduce<unknown>((level, key) => (level as Record<PropertyKey, unknown> | null)?.[key], value);
    const got = (hint = ''): string =>
      `; got ${typeof found === 'string' ? `'${found}'` : describeValue(found)}${hint}`;
    if (issue.code === 'unrecognized_keys') {
      const known = knownKeys(schema, keys, value);
      return issue.keys.map((key) => {
        const name = [...keys, key].map(String).join('.');
        const list = known.length > 0 ? `; known here: ${known.join(', ')}` : '';
        return { keys: [...keys, key], text: `unknown key '${name}'${didYouMean(key, known)}${list}` };
      });
    }
    if (issue.code === 'invalid_union' && issue.errors.length > 0) {
      // Among the branches whose outer type matches, report the one with the fewest problems.
      const near = issue.errors
        .filter((branch) => branch.every(({ path, code }) => path.length > 0 || code === 'unrecognized_keys'))
        .sort((a, b) => a.length - b.length);
      if (near.length > 0) return describeIssues(near[0], schema, value, keys);
      const wanted = issue.errors.map(([first]) => plainMessage(first)).join(' or ');
      return [{ keys, text: found === undefined ? `${where} is missing: ${wanted}` : `${where}: ${wanted}${got()}` }];
    }
    const choices = choicesOf(issue);
    if (choices.length > 0) {
      const hint = typeof found === 'string' ? didYouMean(found, choices.map(String)) : '';
      return [{ keys, text: `${where}: expected ${choices.join(', ')}${got(hint)}` }];
    }
    // Custom checks also see defaults, and their messages already say what was given.
    if (issue.code === 'custom') return [{ keys, text: `${where}: ${issue.message}` }];
    if (found === undefined) return [{ keys, text: `${where} is missing: ${plainMessage(issue)}` }];
    return [{ keys, text: `${where}: ${plainMessage(issue)}${got()}` }];
  });
}

/** What was expected, in a few words. */
function plainMessage({ message }: z.core.$ZodIssue): string {
  return message.replace(/^(Invalid input|Too small|Too big): /, '').replace(/, received .*$/, '');
}

/** The values that an issue would have accepted, when they can be listed. */
function choicesOf(issue: z.core.$ZodIssue): readonly unknown[] {
  if (issue.code === 'invalid_value') return issue.values;
  return issue.code === 'invalid_union' && 'options' in issue ? (issue.options as readonly unknown[]) : [];
}

/** The keys that the schema allows at a path, over all branches on the way that match the value's discriminators. */
function knownKeys(schema: z.ZodType, path: readonly PropertyKey[], value: unknown): string[] {
  let level = unwrap(schema, value);
  let inside = value;
  for (const key of path) {
    inside = (inside as Record<PropertyKey, unknown> | null | undefined)?.[key];
    const below = level.flatMap((type): z.core.$ZodType[] => {
      const definition = type._zod.def as {
        type: string;
        shape?: Record<string, z.core.$ZodType>;
        element?: z.core.$ZodType;
      };
      if (definition.type === 'object') return definition.shape?.[String(key)] ? [definition.shape[String(key)]] : [];
      if (definition.type === 'array' && definition.element) return [definition.element];
      return [];
    });
    level = below.flatMap((type) => unwrap(type, inside));
  }
  const keys = level.flatMap((type) => {
    const definition = type._zod.def as { type: string; shape?: object };
    return definition.type === 'object' ? Object.keys(definition.shape ?? {}) : [];
  });
  return [...new Set(keys)];
}

/** Unwraps optional, default, pipe, lazy and union types; a discriminated union becomes the branch that the value selects. */
function unwrap(type: z.core.$ZodType, value: unknown): z.core.$ZodType[] {
  const definition = type._zod.def as {
    innerType?: z.core.$ZodType;
    in?: z.core.$ZodType;
    options?: z.core.$ZodType[];
    discriminator?: string;
    getter?: () => z.core.$ZodType;
  };
  if (definition.innerType) return unwrap(definition.innerType, value);
  if (definition.in) return unwrap(definition.in, value);
  if (definition.options) {
    const { discriminator } = definition;
    const kind = discriminator && (value as Record<string, unknown> | null | undefined)?.[discriminator];
    const own = definition.options.filter(
      (option) => kind !== undefined && option._zod.propValues?.[discriminator as string]?.has(kind as string),
    );
    return (own.length > 0 ? own : definition.options).flatMap((option) => unwrap(option, value));
  }
  if (definition.getter) return unwrap(definition.getter(), value);
  return [type];
}

function applyOverride(document: ReturnType<typeof parseDocument>, override: string): void {
  const equals = override.indexOf('=');
  if (equals <= 0) throw new ConfigError(`--set: expected key.path=value, got '${override}'`);
  const keys = override.slice(0, equals).split('.');
  const value = parseDocument(override.slice(equals + 1));
  if (value.errors.length > 0) throw new ConfigError(`--set ${override}: the value is not YAML`);
  try {
    for (let length = 1; length < keys.length; length++) {
      const parent = document.getIn(keys.slice(0, length), true);
      if (parent === undefined || (isScalar(parent) && parent.value === null))
        document.setIn(keys.slice(0, length), new YAMLMap());
      else if (isScalar(parent))
        throw new ConfigError(`--set ${override}: '${keys.slice(0, length).join('.')}' is not a group of keys`);
    }
    document.setIn(keys, value.contents);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    // The YAML library names the cause, such as a name used as a list index or a file without keys.
    throw new ConfigError(`--set ${override}: ${(error as Error).message.split('\n')[0]}`);
  }
}
