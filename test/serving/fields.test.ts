import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { decodingOfTexts } from '#language';
import { DECODING_FIELDS, readDecoding, readFields, refuseOthers } from '../../serving/front/fields.js';

const texts = (given: Record<string, string | string[]>) =>
  new Map(Object.entries(given).map(([name, value]) => [name, [value].flat()]));

describe('the options of decoding in a request', () => {
  it('are those of tokenfuse caption, by name and by check (property)', () => {
    const option = fc.tuple(
      fc.constantFrom(...Object.keys(DECODING_FIELDS)),
      fc.constantFrom('greedy', 'beam', 'sample', '0', '1', '2', '0.5', '-1', 'x', ''),
    );
    fc.assert(
      fc.property(fc.array(option, { maxLength: 4 }), (options) => {
        const given = texts(Object.fromEntries(options));
        const byCommand = () =>
          decodingOfTexts({ text: (name) => given.get(name)?.[0], texts: (name) => given.get(name) ?? [] }, '');
        let expected: unknown;
        try {
          expected = byCommand();
        } catch (error) {
          expect(() => readDecoding(given)).toThrow((error as Error).message);
          return;
        }
        expect(readDecoding(given)).toEqual(expected);
      }),
    );
  });

  it.each([
    [{ 'max-tokens': '257' }, 'max-tokens: expected at most 256 of a server, got 257'],
    [{ width: '17' }, 'width: expected at most 16 of a server, got 17'],
    [{ 'num-samples': '1000000' }, 'num-samples: expected at most 16'],
    [{ 'stop-tokens': Array(9).fill('a') }, 'stop-tokens: expected at most 8'],
    [{ seed: ['1', '2'] }, 'seed: expected one value, got 2'],
  ])('have an end: %o', (given, message) => {
    expect(() => readDecoding(texts(given))).toThrow(message);
  });
});

describe('fields of a request', () => {
  const schema = z.strictObject({ id: z.int().min(0).default(1), name: z.array(z.string().min(1)).optional() });

  it('are read by their type', () => {
    expect(readFields(schema, texts({ id: '7', name: ['a', 'b'], other: 'c' }))).toEqual({ id: 7, name: ['a', 'b'] });
    expect(readFields(schema, texts({}))).toEqual({ id: 1 });
  });

  it.each([
    [{ id: 'x' }, 'id: expected a number'],
    [{ id: '1.5' }, 'id: expected an integer'],
    [{ id: '-1' }, 'id: expected a number of at least 0'],
    [{ id: ['1', '2'] }, 'id: expected one value, got 2'],
    [{ name: [''] }, 'name.0: expected text, not an empty one'],
  ])('are refused in one line: %o', (given, message) => {
    expect(() => readFields(schema, texts(given))).toThrow(message);
  });

  it('are refused by names that nobody knows, with the one that was meant', () => {
    expect(() => refuseOthers(texts({ widht: '1' }), ['width', 'seed'])).toThrow(
      "unknown field 'widht' (did you mean 'width'?)",
    );
  });
});
