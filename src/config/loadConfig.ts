import { dirname, resolve } from 'node:path';
import type { z } from 'zod';
import { ConfigError, shownText } from '#src/errors';
import { configProblems, type KeySource } from './configProblems.js';
import { type MovedKey, moveFormerKeys } from './formerKeys.js';
import { type AppliedOverride, applyOverride } from './override.js';
import { readYaml } from './yamlFile.js';

/** A parsed configuration and the folder that its relative paths are resolved against. */
export interface LoadedConfig<T> {
  readonly config: T;
  readonly path: string;
  readonly baseDir: string;
  /** What the user should know although nothing is wrong, a line each: keys under former names. */
  readonly notices: readonly string[];
}

/**
 * Reads a YAML file, applies `--set a.b=value` overrides and checks the whole against a strict schema.
 * Every problem is reported at once, with its line or the `--set` it came from; an unknown key says which key was probably
 * meant. Keys under former names are read as if they had the present ones.
 *
 * @param placeOf how messages cite an override that does not come from `--set`
 * @throws ConfigError with one line per problem; UserError when the file cannot be read
 */
export function loadConfig<S extends z.ZodType>(
  file: string,
  schema: S,
  overrides: readonly string[] = [],
  placeOf: (override: string) => string = (override) => `--set ${shownText(override, 120)}`,
): LoadedConfig<z.output<S>> {
  const { value: raw, lineOf } = readYaml(file);
  const inFile = moveFormerKeys(schema, raw);
  let value = inFile.value;
  const applied: AppliedOverride[] = [];
  for (const override of overrides) {
    const after = applyOverride(value, override, schema, placeOf(override));
    value = after.config;
    applied.push(after.applied);
  }
  const result = schema.safeParse(value);
  if (!result.success) {
    const source = (keys: readonly PropertyKey[]): KeySource => {
      const path = keys.map(String);
      const written = asWritten(path, inFile.moved);
      const override = applied.findLast((words) => {
        // An override that goes deeper has made the keys on its way, unless the file has them.
        const hasMade = path.length > 0 && words.path.length > path.length && lineOf(written) === undefined;
        const [shorter, longer] = hasMade ? [path, words.path] : [words.path, path];
        return shorter.every((key, i) => key === longer[i]);
      });
      if (override !== undefined) return { place: override.place, keys: asWritten(path, override.moved) };
      const lines = written.map((_, i) => lineOf(written.slice(0, written.length - i)));
      const nearest = lines.find((line) => line !== undefined);
      return { place: nearest === undefined ? file : `${file}:${nearest}`, keys: written };
    };
    throw new ConfigError(configProblems(result.error, schema, value, file, source));
  }
  const notices = [
    ...formerNameNotice(inFile.moved, `${file}:${lineOf(inFile.moved[0]?.from ?? [])}`),
    ...applied.flatMap(({ place, moved }) => formerNameNotice(moved, place)),
  ];
  return { config: result.data, path: file, baseDir: dirname(resolve(file)), notices };
}

/** Checks a value that does not come from a file, such as a checkpoint's own config; former names are taken. */
export function parseConfig<S extends z.ZodType>(value: unknown, schema: S, what: string): z.output<S> {
  const { value: present, moved } = moveFormerKeys(schema, value);
  const result = schema.safeParse(present);
  if (result.success) return result.data;
  throw new ConfigError(
    configProblems(result.error, schema, present, what, (keys) => ({
      place: what,
      keys: asWritten(keys.map(String), moved),
    })),
  );
}

/**
 * A configuration that an earlier version may have stored, as this version would store it: with former names replaced and the
 * defaults of newer keys. What the schema refuses stays as it is, for a comparison to show.
 */
export function storedConfig(stored: unknown, schema: z.ZodType): unknown {
  const { value } = moveFormerKeys(schema, stored);
  const result = schema.safeParse(value);
  return JSON.parse(JSON.stringify(result.success ? result.data : value));
}

/** A path as the user has written it: under its former name where it had one. */
function asWritten(path: readonly string[], moved: readonly MovedKey[]): readonly string[] {
  const found = moved.find(({ to }) => to.every((key, i) => key === path[i]));
  return found === undefined ? path : [...found.from, ...path.slice(found.to.length)];
}

/** One line, or none when nothing was under a former name. */
function formerNameNotice(moved: readonly MovedKey[], place: string): string[] {
  if (moved.length === 0) return [];
  const [{ from, to }] = moved;
  const [more, names] =
    moved.length === 1 ? ['', 'name still works'] : [` (and ${moved.length - 1} more)`, 'names still work'];
  return [`${place}: '${from.join('.')}' is now '${to.join('.')}'${more}; the old ${names}`];
}
