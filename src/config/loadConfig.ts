import { dirname, resolve } from 'node:path';
import { type Document, isMap, isScalar, LineCounter, parseDocument, YAMLMap } from 'yaml';
import type { z } from 'zod';
import { ConfigError, UserError } from '#src/errors';
import { readText } from '#src/storage';
import { type ConfigProblem, configProblems } from './configProblems.js';

/** A parsed configuration and the folder that its relative paths are resolved against. */
export interface LoadedConfig<T> {
  readonly config: T;
  readonly path: string;
  readonly baseDir: string;
}

/**
 * Reads a YAML file, applies `--set a.b=value` overrides and checks the whole against a strict schema.
 * Every problem is reported at once, with its line or the `--set` it came from; an unknown key says which key was probably
 * meant.
 *
 * @throws ConfigError with one line per problem; a file that cannot be read is one too
 */
export function loadConfig<S extends z.ZodType>(
  file: string,
  schema: S,
  overrides: readonly string[] = [],
): LoadedConfig<z.output<S>> {
  const text = readConfig(file);
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, uniqueKeys: true });
  if (document.errors.length > 0) {
    throw new ConfigError(document.errors.map((error) => `${file}: ${error.message.split('\n')[0]}`));
  }
  for (const override of overrides) applyOverride(document, override);
  const value = toValue(document, file);
  const result = schema.safeParse(value);
  if (!result.success) {
    const lineOf = (keys: readonly PropertyKey[]) => lineOfKey(document, lineCounter, keys);
    const origin = ({ keys }: ConfigProblem): string => {
      const path = keys.map(String);
      const override = overrides.findLast((words) => {
        const given = keyPath(words);
        // An override that goes deeper has made the keys on its way, unless the file has them.
        const hasMade = path.length > 0 && given.length > path.length && lineOf(keys) === undefined;
        const [shorter, longer] = hasMade ? [path, given] : [given, path];
        return shorter.every((key, i) => key === longer[i]);
      });
      if (override !== undefined) return `--set ${override}`;
      const lines = keys.map((_, i) => lineOf(keys.slice(0, keys.length - i)));
      const nearest = lines.find((line) => line !== undefined);
      return nearest === undefined ? file : `${file}:${nearest}`;
    };
    throw new ConfigError(
      configProblems(result.error, schema, value).map((problem) => `${origin(problem)}: ${problem.text}`),
    );
  }
  return { config: result.data, path: file, baseDir: dirname(resolve(file)) };
}

/** Checks a value that does not come from a file, such as a checkpoint's own config. */
export function parseConfig<S extends z.ZodType>(value: unknown, schema: S, what: string): z.output<S> {
  const result = schema.safeParse(value);
  if (!result.success) {
    throw new ConfigError(configProblems(result.error, schema, value).map(({ text }) => `${what}: ${text}`));
  }
  return result.data;
}

function readConfig(path: string): string {
  try {
    return readText(path, 'configuration');
  } catch (error) {
    throw error instanceof UserError ? new ConfigError(error.message) : error;
  }
}

/** The line of a key that the file itself has, from 1. */
function lineOfKey(document: Document, lineCounter: LineCounter, keys: readonly PropertyKey[]): number | undefined {
  const parent = document.getIn(keys.slice(0, -1), true);
  const pair = isMap(parent)
    ? parent.items.find((item) => isScalar(item.key) && String(item.key.value) === String(keys[keys.length - 1]))
    : undefined;
  const range = isScalar(pair?.key) ? pair.key.range : undefined;
  return range ? lineCounter.linePos(range[0]).line : undefined;
}

/** The document as plain values; aliases without an anchor, or too many of them, show only here. */
function toValue(document: Document, path: string): unknown {
  try {
    return document.toJS() ?? {};
  } catch (error) {
    throw new ConfigError(`${path}: ${(error as Error).message.split('\n')[0]}`);
  }
}

/** The keys before the `=` of an override. */
function keyPath(override: string): string[] {
  return override.slice(0, override.indexOf('=')).split('.');
}

function applyOverride(document: Document, override: string): void {
  const equals = override.indexOf('=');
  if (equals <= 0) throw new ConfigError(`--set: expected key.path=value, got '${override}'`);
  const keys = keyPath(override);
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
