import type { z } from 'zod';
import { didYouMean } from '#src/errors';
import { expectation } from './expectation.js';
import { presentName } from './formerKeys.js';
import { describeValue } from './parseFile.js';
import { keysOf, schemasAt } from './schemaAt.js';

/** One thing that is wrong with a configuration, and the keys that lead to it. */
export interface ConfigProblem {
  readonly keys: readonly PropertyKey[];
  readonly text: string;
  /** Where the value of a renamed key belongs. */
  readonly movedTo?: readonly PropertyKey[];
  readonly isMissing?: boolean;
}

/** What a failed parse has found, a line each; what is missing only because it stands under its former name is left out. */
export function configProblems(error: z.ZodError, schema: z.ZodType, value: unknown): ConfigProblem[] {
  const problems = problemsOf(error.issues, schema, value, []);
  const moved = problems.flatMap(({ movedTo }) => (movedTo ? [movedTo] : []));
  return problems.filter(
    ({ keys, isMissing }) => !isMissing || !moved.some((path) => keys.every((key, i) => String(key) === path[i])),
  );
}

function problemsOf(
  issues: readonly z.core.$ZodIssue[],
  schema: z.ZodType,
  value: unknown,
  prefix: readonly PropertyKey[],
): ConfigProblem[] {
  return issues.flatMap((issue): ConfigProblem[] => {
    const keys = [...prefix, ...issue.path];
    const where = keys.length === 0 ? 'the whole file' : `'${keys.map(String).join('.')}'`;
    const found = keys.reduce<unknown>((level, key) => (level as Record<PropertyKey, unknown> | null)?.[key], value);
    const wrong = (wanted: string, hint = ''): ConfigProblem =>
      found === undefined
        ? { keys, text: `${where} is missing: ${wanted}`, isMissing: true }
        : { keys, text: `${where}: ${wanted}; got ${shortValue(found)}${hint}` };
    if (issue.code === 'unrecognized_keys') {
      const here = schemasAt(schema, keys, value);
      return issue.keys.map((key) => unknownKey(here, keys, key));
    }
    if (issue.code === 'invalid_union' && issue.errors.length > 0) {
      // Of the branches that fit from the outside, the one with the fewest problems is the one that was meant.
      const near = issue.errors
        .filter((branch) => branch.every(({ path, code }) => path.length > 0 || code === 'unrecognized_keys'))
        .sort((a, b) => a.length - b.length);
      if (near.length > 0) return problemsOf(near[0], schema, value, keys);
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
    if (issue.code === 'custom') return [{ keys, text: `${where}: ${issue.message}` }];
    return [wrong(expectation(issue))];
  });
}

function unknownKey(here: readonly z.core.$ZodType[], path: readonly PropertyKey[], key: string): ConfigProblem {
  const keys = [...path, key];
  const name = keys.map(String).join('.');
  const present = here.map((schema) => presentName(schema, key)).find((found) => found !== undefined);
  if (present !== undefined) {
    const movedTo = [...path.map(String), ...present.split('.')];
    return { keys, text: `'${name}' was renamed to '${movedTo.join('.')}'`, movedTo };
  }
  const known = keysOf(here);
  const list = known.length > 0 ? `; known here: ${known.join(', ')}` : '';
  return { keys, text: `unknown key '${name}'${didYouMean(key, known)}${list}` };
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
