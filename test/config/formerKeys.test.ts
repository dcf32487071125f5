import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { formerKeys, loadConfig, parseConfig } from '#src/config';
import { temporaryFolder } from '../support/temporaryFolder.js';

const Data = formerKeys(
  z.strictObject({ files: z.array(z.string()), share: z.number().optional() }).superRefine(() => undefined),
  { portion: 'share' },
);
const Schema = formerKeys(
  z.strictObject({
    name: z.string(),
    model: formerKeys(z.strictObject({ stack: z.strictObject({ width: z.int(), depth: z.int() }) }), {
      width: 'stack.width',
      depth: 'stack.depth',
    }),
    sets: z.array(z.union([z.string(), Data])).prefault([]),
  }),
  { title: 'name' },
);
const model = { stack: { width: 2, depth: 3 } };

/** What a file is read as, and what is said about its former names, its path as FILE. */
function load(text: string, ...overrides: string[]): { config: unknown; notices: string[] } {
  const path = join(temporaryFolder(), 'x.yaml');
  writeFileSync(path, text);
  const { config, notices } = loadConfig(path, Schema, overrides);
  return { config, notices: notices.map((notice) => notice.replace(path, 'FILE')) };
}

/** The lines by which it is refused. */
function problems(text: string, ...overrides: string[]): string[] {
  const path = join(temporaryFolder(), 'x.yaml');
  writeFileSync(path, text);
  try {
    loadConfig(path, Schema, overrides);
  } catch (error) {
    return (error as Error).message.replaceAll(path, 'FILE').split('\n');
  }
  return [];
}

const good = 'name: a\nmodel:\n  stack: { width: 2, depth: 3 }\n';

describe('a key under its former name', () => {
  it('is read as if it had the present one, and said with its line', () => {
    const { config, notices } = load('model:\n  stack: { width: 2, depth: 3 }\ntitle: a\n');
    expect(config).toEqual({ name: 'a', model, sets: [] });
    expect(notices).toEqual(["FILE:3: 'title' is now 'name'; the old name still works"]);
  });

  it('may have moved into a group, beside others; one line is said for all', () => {
    const { config, notices } = load('title: a\nmodel:\n  width: 2\n  stack: { depth: 3 }\n');
    expect(config).toEqual({ name: 'a', model, sets: [] });
    expect(notices).toEqual(["FILE:1: 'title' is now 'name' (and 1 more); the old names still work"]);
  });

  it('may be inside lists and unions', () => {
    expect(load(`${good}sets: [x, { files: [], portion: 0.1 }]`).config).toEqual({
      name: 'a',
      model,
      sets: ['x', { files: [], share: 0.1 }],
    });
  });

  it('is taken from a value that comes from no file', () => {
    expect(parseConfig({ title: 'a', model: { width: 2, depth: 3 } }, Schema, 'X')).toEqual({
      name: 'a',
      model,
      sets: [],
    });
  });

  it('leaves nothing to say about a file without any', () => {
    expect(load(good).notices).toEqual([]);
  });

  it('is refused beside its present name', () => {
    expect(problems(`${good}title: b\n`)).toEqual(["FILE:4: 'title' is now 'name', which is given too; leave one out"]);
    expect(problems('name: a\nmodel: { width: 2, stack: { width: 2, depth: 3 } }\n')).toEqual([
      "FILE:2: 'model.width' is now 'model.stack.width', which is given too; leave one out",
    ]);
  });

  it('is refused where its present place is no group', () => {
    expect(problems('name: a\nmodel: { width: 2, stack: 7 }\n')).toEqual([
      "FILE:2: 'model.stack': expected a group of keys; got 7",
      "FILE:2: 'model.width' is now 'model.stack.width'",
    ]);
  });

  it('is the name by which what is wrong with its value is told', () => {
    expect(problems('name: a\nmodel:\n  width: 2\n  depth: x\n')).toEqual([
      "FILE:4: 'model.depth': expected a number; got 'x'",
    ]);
  });

  it('does not hide that other keys are missing', () => {
    expect(problems('title: a\n')).toEqual(["FILE: 'model' is missing: expected a group of keys"]);
    expect(problems('name: a\nmodel: { width: 2 }\n')).toEqual([
      "FILE:2: 'model.stack.depth' is missing: expected a number",
    ]);
  });
});

describe('--set of a former name', () => {
  it('sets the present key, whichever name the file has', () => {
    const { config, notices } = load(good, 'model.width=7');
    expect(config).toEqual({ name: 'a', model: { stack: { width: 7, depth: 3 } }, sets: [] });
    expect(notices).toEqual([
      "--set model.width=7: 'model.width' is now 'model.stack.width'; the old name still works",
    ]);
    const old = 'title: a\nmodel: { width: 2, depth: 3 }\n';
    for (const override of ['model.width=7', 'model.stack.width=7']) expect(load(old, override).config).toEqual(config);
  });

  it('may stand in the value', () => {
    expect(load(good, 'model={width: 7, depth: 3}').config).toMatchObject({ model: { stack: { width: 7 } } });
  });

  it('is cited as it was given', () => {
    expect(problems('title: a\nmodel: { width: 2, depth: 3 }\n', 'model.width=x')).toEqual([
      "--set model.width=x: 'model.width': expected a number; got 'x'",
    ]);
    expect(problems('title: a\nmodel: { width: 2, depth: 3 }\n', 'model.stack.width=x')).toEqual([
      "--set model.stack.width=x: 'model.stack.width': expected a number; got 'x'",
    ]);
  });
});

it('names that every object has by birth are no keys', () => {
  expect(problems(`${good}constructor: 1\n`)).toEqual([
    "FILE:4: unknown key 'constructor'; known here: name, model, sets",
  ]);
  expect(problems(good, '__proto__.a=1', 'model.toString=1')).toEqual([
    "--set model.toString=1: unknown key 'model.toString'; known here: stack",
    "--set __proto__.a=1: unknown key '__proto__'; known here: name, model, sets",
  ]);
});
