import { parseDocument } from 'yaml';
import type { z } from 'zod';
import { ConfigError } from '#src/errors';
import { type MovedKey, moveFormerKeys, presentPath } from './formerKeys.js';
import { ownValue } from './ownValue.js';

/** A `--set a.b=value` that has been applied. */
export interface AppliedOverride {
  /** How messages cite it. */
  readonly place: string;
  /** The keys that it sets, under their present names. */
  readonly path: readonly string[];
  readonly moved: readonly MovedKey[];
}

/**
 * A configuration with one key set to another value; groups of keys on the way are made. Former names are taken.
 *
 * @param override `a.b=value`, the value in YAML
 * @throws ConfigError when it is not of that form, or leads through a value that is not a group of keys
 */
export function applyOverride(
  config: unknown,
  override: string,
  schema: z.ZodType,
  place: string,
): { config: unknown; applied: AppliedOverride } {
  const equals = override.indexOf('=');
  const given = override.slice(0, equals).split('.');
  if (equals <= 0 || given.includes('')) throw new ConfigError(`${place}: expected key.path=value`);
  const path = presentPath(schema, given, config);
  const whole = withValue(config, path, yamlValue(override.slice(equals + 1), place), (depth, why) => {
    const where = depth === 0 ? 'the file' : `'${path.slice(0, depth).join('.')}'`;
    throw new ConfigError(`${place}: ${where} ${why}`);
  });
  const { value, moved } = moveFormerKeys(schema, whole);
  const isMoved = path.join('.') !== given.join('.');
  return {
    config: value,
    applied: { place, path, moved: isMoved ? [{ from: given, to: path }, ...moved] : moved },
  };
}

function yamlValue(text: string, place: string): unknown {
  const document = parseDocument(text, { schema: 'core', logLevel: 'error' });
  try {
    if (document.errors.length + document.warnings.length === 0) return document.toJS();
  } catch {
    // An alias, which has nothing here to refer to.
  }
  throw new ConfigError(`${place}: the value is not YAML`);
}

function withValue(
  level: unknown,
  path: readonly string[],
  value: unknown,
  refuse: (depth: number, why: string) => never,
  depth = 0,
): unknown {
  if (depth === path.length) return value;
  const key = path[depth];
  const below = (): unknown => withValue(ownValue(level, key), path, value, refuse, depth + 1);
  if (level === undefined || level === null) return { [key]: below() };
  if (Array.isArray(level)) {
    const isEntry = /^\d{1,9}$/.test(key) && Number(key) <= level.length;
    if (!isEntry) refuse(depth, `is a list; expected an entry from 0 to ${level.length}, got '${key}'`);
    const changed = below();
    return [...level.slice(0, Number(key)), changed, ...level.slice(Number(key) + 1)];
  }
  if (typeof level !== 'object') refuse(depth, 'is not a group of keys');
  return { ...level, [key]: below() };
}
