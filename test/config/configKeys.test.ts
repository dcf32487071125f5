import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type ConfigKey, configKeys } from '#src/config';

const weight = z.number().positive().default(1).describe('factor');
const Source = z.union([
  z.string().min(1),
  z.discriminatedUnion('format', [
    z.strictObject({ format: z.literal('coco'), path: z.string(), weight }).describe('a COCO file'),
    z.strictObject({ format: z.literal('csv'), weight, column: z.string().optional() }).describe('a table'),
  ]),
]);
const Schema = z.strictObject({
  kind: z.literal('demo'),
  name: z.string().describe('inside').default('a').describe('outside'),
  model: z
    .strictObject({ dModel: z.int().positive().describe('width') })
    .superRefine(() => undefined)
    .transform((model) => model)
    .prefault({ dModel: 3 }),
  off: z.strictObject({ on: z.boolean().default(false) }).prefault({}),
  sets: z.array(z.strictObject({ from: Source.describe('where') })).min(1),
  train: Source.optional(),
  stages: z.record(z.string(), z.strictObject({ file: z.string() })).optional(),
});
const keys = new Map(configKeys(Schema).map((key) => [key.name, key]));
const names = (list: readonly ConfigKey[]): string[] => list.map(({ name }) => name);

describe('configKeys', () => {
  it('has every key but the literal of its kind, in order', () => {
    expect([...keys.keys()]).toEqual(['name', 'model', 'off', 'sets', 'train', 'stages']);
  });

  it('tells what is required from what has a default, and takes the outermost meaning', () => {
    expect(keys.get('name')).toMatchObject({ isRequired: false, default: 'a', meaning: 'outside' });
    expect(keys.get('sets')).toMatchObject({ isRequired: true, isList: true, type: 'list of groups' });
    expect(keys.get('off')).toMatchObject({ isRequired: false, meaning: '' });
    expect(keys.get('off')).not.toHaveProperty('default');
    expect(keys.get('model')).toMatchObject({ isRequired: false, default: { dModel: 3 } });
  });

  it('sees through checks, transforms and defaults to the keys inside', () => {
    expect(keys.get('model')?.keys).toEqual([
      {
        name: 'dModel',
        type: 'integer from 1',
        isRequired: true,
        meaning: 'width',
        isList: false,
        isByName: false,
        keys: [],
        variants: [],
      },
    ]);
  });

  it('has the keys of each entry of a group whose names are the file’s own', () => {
    const stages = keys.get('stages');
    expect(stages).toMatchObject({ isByName: true, isList: false, isRequired: false, type: 'group, by name' });
    expect(names(stages?.keys ?? [])).toEqual(['file']);
  });

  it('lists the variants of a union, and once what all of them have', () => {
    const [from] = keys.get('sets')?.keys ?? [];
    expect(from).toMatchObject({ type: 'text or group', meaning: 'where' });
    expect(names(from.keys)).toEqual(['weight']);
    expect(from.variants.map(({ key, value, meaning, keys }) => [key, value, meaning, names(keys)])).toEqual([
      ['format', 'coco', 'a COCO file', ['path']],
      ['format', 'csv', 'a table', ['column']],
    ]);
  });

  it('lists a group that comes again where it came first', () => {
    expect(keys.get('train')).toMatchObject({ sameAs: 'sets[].from', keys: [], variants: [], isRequired: false });
  });

  it.each([
    [z.int(), 'integer'],
    [z.int().min(1).max(3), 'integer from 1 to 3'],
    [z.number().gt(0).lt(1), 'number above 0, below 1'],
    [z.number().positive().max(1), 'number above 0 up to 1'],
    [z.number().max(5), 'number up to 5'],
    [z.boolean(), 'true or false'],
    [z.enum(['a', 'b', 'c']), 'a, b or c'],
    [z.array(z.int().positive()), 'list of integers from 1'],
    [z.tuple([z.int().min(0), z.int().min(0)]), 'list of 2 × integer from 0'],
    [z.union([z.literal(false), z.array(z.string())]), 'false or list of text'],
    [z.union([z.enum(['a', 'b']), z.array(z.string())]), 'a, b or list of text'],
    [z.record(z.string(), z.number().min(0)), 'number from 0, by name'],
  ])('says a type in words: case %#', (schema, words) => {
    expect(configKeys(z.strictObject({ key: schema }))[0].type).toBe(words);
  });
});
