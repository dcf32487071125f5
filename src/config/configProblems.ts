import type { z } from 'zod';
import { didYouMean } from '#src/errors';
import { expectation } from './expectation.js';
import { presentName } from './formerKeys.js';
import { ownValue } from './ownValue.js';
import { describeValue } from './parseFile.js';
import { keysOf, schemasAt } from './schemaAt.js';

/** Where a key comes from (`file:line`, `--set …`), and its path as it stands there. */
export interface KeySource {
  readonly place: string;
  readonly keys: readonly string[];
}

type SourceOf = (keys: readonly PropertyKey[]) => KeySource;

/** What a failed parse has found, a line each. */
export function configProblems(error: z.ZodError, schema: z.ZodType, value: unknown, source: SourceOf): string[] {
  return problemsOf(error.issues, schema, value, [], source);
}

function problemsOf(
  issues: readonly z.core.$ZodIssue[],
  schema: z.ZodType,
  value: unknown,
  prefix: readonly PropertyKey[],
  source: SourceOf,
): string[] {
  return issues.flatMap((issue): string[] => {
    const keys = [...prefix, ...issue.path];
    const { place, keys: written } = source(keys);
    const where = `${place}: ${keys.length === 0 ? 'the whole file' : `'${written.join('.')}'`}`;
    const found = keys.reduce(ownValue, value);
    const wrong = (wanted: string, hint = ''): string =>
      found === undefined ? `${where} is missing: ${wanted}` : `${where}: ${wanted}; got ${shortValue(found)}${hint}`;
    if (issue.code === 'unrecognized_keys') {
      const here = schemasAt(schema, keys, value);
      return issue.keys.map((key) => unknownKey(here, [...keys, key], found, source));
    }
    if (issue.code === 'invalid_union' && issue.errors.length > 0) {
      // Of the branches that fit from the outside, the one with the fewest problems is the one that was meant.
      const near = issue.errors
        .filter((branch) => branch.every(({ path, code }) => path.length > 0 || code === 'unrecognized_keys'))
        .sort((a, b) => a.length - b.length);
      if (near.length > 0) return problemsOf(near[0], schema, value, keys, source);
      return [
        wrong(
          issue.errors
            .map(([first]) => expectation(first))
            .join(' or ')
            .replaceAll(' or expected ', ' or '),
        ),
      ];
    }
    const choices = choicesOf(issue);
    if (choices.length > 0) {
      const hint = typeof found === 'string' ? didYouMean(found, choices.map(String)) : '';
      return [wrong(`expected ${choices.join(', ')}`, hint)];
    }
    // Our own checks see defaults too, and say themselves what came.
    if (issue.code === 'custom') return [`${where}: ${issue.message}`];
    return [wrong(expectation(issue))];
  });
}

function unknownKey(
  here: readonly z.core.$ZodType[],
  path: readonly PropertyKey[],
  group: unknown,
  source: SourceOf,
): string {
  const { place, keys } = source(path);
  const [name, key] = [keys.join('.'), String(path[path.length - 1])];
  const present = presentName(here, key);
  if (present !== undefined) {
    const now = [...keys.slice(0, -1), present].join('.');
    // It was not moved there: something is in the way.
    const isTaken = present.split('.').reduce(ownValue, group) !== undefined;
    return `${place}: '${name}' is now '${now}'${isTaken ? ', which is given too; leave one out' : ''}`;
  }
  const known = keysOf(here);
  const list = known.length > 0 ? `; known here: ${known.join(', ')}` : '';
  return `${place}: unknown key '${name}'${didYouMean(key, known)}${list}`;
}

/** The values that an issue would have accepted, when they can be listed. */
function choicesOf(issue: z.core.$ZodIssue): readonly unknown[] {
  if (issue.code === 'invalid_value') return issue.values;
  return issue.code === 'invalid_union' && 'options' in issue ? (issue.options as readonly unknown[]) : [];
}

/** A value of a YAML file, short enough for one line. */
function shortValue(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a group of keys';
  return describeValue(value);
}
