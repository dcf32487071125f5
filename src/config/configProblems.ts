import type { z } from 'zod';
import { didYouMean, shownText } from '#src/errors';
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

/** Problems that are told; a file with thousands is of another kind altogether. */
const MOST_TOLD = 20;

/** Of one problem that a check of our own words. */
const MOST_CHARACTERS = 600;

/** What a failed parse has found, a line each. */
export function configProblems(
  error: z.ZodError,
  schema: z.ZodType,
  value: unknown,
  what: string,
  source: SourceOf,
): string[] {
  const all = problemsOf(error.issues, schema, value, [], source);
  const told = all.slice(0, MOST_TOLD).map((problem) => problem());
  return all.length > told.length ? [...told, `${what}: and ${all.length - told.length} more`] : told;
}

/** A line for each problem, made only when it is told. */
function problemsOf(
  issues: readonly z.core.$ZodIssue[],
  schema: z.ZodType,
  value: unknown,
  prefix: readonly PropertyKey[],
  source: SourceOf,
): (() => string)[] {
  return issues.flatMap((issue) => {
    const keys = [...prefix, ...issue.path];
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => () => unknownKey(schema, value, keys, key, source));
    }
    if (issue.code === 'invalid_union') {
      // Of the branches that fit from the outside, the one with the fewest problems is the one that was meant.
      const near = issue.errors
        .filter((branch) => branch.every(({ path, code }) => path.length > 0 || code === 'unrecognized_keys'))
        .sort((a, b) => a.length - b.length);
      if (near.length > 0) return problemsOf(near[0], schema, value, keys, source);
    }
    return [() => problemLine(issue, keys, keys.reduce(ownValue, value), source(keys))];
  });
}

function problemLine(
  issue: z.core.$ZodIssue,
  keys: readonly PropertyKey[],
  found: unknown,
  { place, keys: written }: KeySource,
): string {
  const where = `${place}: ${keys.length === 0 ? 'the whole file' : `'${shownPath(written)}'`}`;
  const wrong = (wanted: string, hint = ''): string =>
    found === undefined ? `${where} is missing: ${wanted}` : `${where}: ${wanted}; got ${shortValue(found)}${hint}`;
  const choices = choicesOf(issue);
  if (choices.length > 0) {
    const hint = typeof found === 'string' ? didYouMean(found, choices.map(String)) : '';
    return wrong(`expected ${choices.join(', ')}`, hint);
  }
  // Our own checks see defaults too, and say themselves what came.
  // Our own checks name values of the file, which may be long.
  if (issue.code === 'custom') return `${where}: ${shownText(issue.message, MOST_CHARACTERS)}`;
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return wrong(expectation(issue));
  const either = issue.errors.map(([first]) => expectation(first)).join(' or ');
  return wrong(either.replaceAll(' or expected ', ' or '));
}

function unknownKey(
  schema: z.ZodType,
  value: unknown,
  path: readonly PropertyKey[],
  key: string,
  source: SourceOf,
): string {
  const here = schemasAt(schema, path, value);
  const { place, keys } = source([...path, key]);
  const name = shownPath(keys);
  const present = presentName(here, key);
  if (present !== undefined) {
    const now = shownPath([...keys.slice(0, -1), present]);
    // It was not moved there: something is in the way.
    const isTaken = [...path, ...present.split('.')].reduce(ownValue, value) !== undefined;
    return `${place}: '${name}' is now '${now}'${isTaken ? ', which is given too; leave one out' : ''}`;
  }
  const known = keysOf(here);
  const list = known.length > 0 ? `; known here: ${known.join(', ')}` : '';
  return `${place}: unknown key '${name}'${didYouMean(key, known)}${list}`;
}

/** The values that an issue would have accepted, when they can be listed. */
function choicesOf(issue: z.core.$ZodIssue): readonly unknown[] {
  if (issue.code === 'invalid_value') return issue.values;
  if (issue.code !== 'invalid_union' || !('options' in issue)) return [];
  // A kind that may be left out is no word to write.
  return (issue.options as readonly unknown[]).filter((option) => option !== undefined);
}

/** A value of a YAML file, short enough for one line. */
function shortValue(value: unknown): string {
  if (typeof value === 'string') return `'${shownText(value)}'`;
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a group of keys';
  return describeValue(value);
}

function shownPath(keys: readonly string[]): string {
  return keys.map((key) => shownText(key)).join('.');
}
