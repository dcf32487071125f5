import type { z } from 'zod';
import { shownText } from '#src/errors';

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'an integer',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'a group of keys',
  record: 'a group of keys',
};

/** What a schema expected where it found a problem, in plain words: `expected a number above 0`. */
export function expectation(issue: z.core.$ZodIssue): string {
  if (!/^(Invalid |Unrecognized |Too (small|big):)/.test(issue.message)) return issue.message;
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${TYPES[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `expected ${issue.values.join(', ')}`;
    case 'too_small':
      return `expected ${bounded(issue.origin, issue.inclusive === false ? 'above' : 'at least', issue.minimum)}`;
    case 'too_big':
      return `expected ${bounded(issue.origin, issue.inclusive === false ? 'below' : 'at most', issue.maximum)}`;
    case 'unrecognized_keys':
      return `expected no key '${shownText(issue.keys[0])}'`;
    case 'not_multiple_of':
      return `expected a multiple of ${issue.divisor}`;
    case 'invalid_format':
      return issue.format === 'regex' ? `expected text of the form ${issue.pattern}` : `expected ${issue.format}`;
    case 'invalid_union':
      return 'expected one of the values that are allowed here';
    case 'invalid_key':
      return 'expected another key';
    default:
      return 'expected another value';
  }
}

function bounded(origin: string, relation: string, bound: number | bigint): string {
  if (origin === 'string')
    return bound === 1n || bound === 1 ? 'text, not an empty one' : `text of ${relation} ${bound} characters`;
  if (origin === 'array') return `a list of ${relation} ${bound} ${Number(bound) === 1 ? 'entry' : 'entries'}`;
  return `a number ${relation === 'at least' || relation === 'at most' ? `of ${relation}` : relation} ${bound}`;
}
