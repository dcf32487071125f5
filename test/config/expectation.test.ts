import { expect, it } from 'vitest';
import { z } from 'zod';
import { parseFile } from '#src/config';
import { userErrorLine } from '../support/thrown.js';

it.each<[string, z.ZodType, unknown, string]>([
  ['a type', z.object({ a: z.array(z.int()) }), {}, 'a: expected a list, got nothing'],
  ['an own message', z.object({ a: z.int('an integer') }), { a: 'x' }, 'a: expected an integer, got "x"'],
  ['a choice', z.object({ a: z.enum(['x', 'y']) }), { a: 'z' }, 'a: expected x, y, got "z"'],
  ['an unknown key', z.strictObject({}), { '\u001b[2J': 1 }, "the file: expected no key '\\u001b[2J', got an object"],
  ['a union', z.object({ a: z.union([z.int(), z.boolean()]) }), { a: 'x' }, 'a: expected one of the values'],
  ['a kind', z.discriminatedUnion('k', [z.object({ k: z.literal('x') })]), { k: 'y' }, 'k: expected '],
  ['a format', z.object({ a: z.string().regex(/^a+$/) }), { a: 'b' }, 'a: expected text of the form /^a+$/, got "b"'],
  ['a multiple', z.object({ a: z.number().multipleOf(4) }), { a: 3 }, 'a: expected a multiple of 4, got 3'],
  ['a key of a record', z.record(z.enum(['x']), z.int()), { x: 1, y: 2 }, 'expected'],
])('%s that is wrong in a stored file is told in words of our own', (_, schema, value, expected) => {
  const line = userErrorLine(() => parseFile(schema, value, 'FILE'));
  expect(line).toContain(`FILE: `);
  expect(line).toContain(expected);
  expect(line).not.toMatch(/Invalid|Unrecognized|Too (small|big)|undefined|expected expected/);
});
