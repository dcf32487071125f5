import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { loadConfig, parseConfig } from '#src/config';
import { ConfigError, UserError } from '#src/errors';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';

const Schema = z.strictObject({
  name: z.string(),
  steps: z.int().positive().default(5),
  model: z
    .strictObject({ dModel: z.int(), numHeads: z.int().default(1), kind: z.enum(['full', 'causal']).optional() })
    .superRefine(({ dModel, numHeads }, context) => {
      if (dModel % numHeads === 0) return;
      context.addIssue({ code: 'custom', path: ['numHeads'], message: `expected a divisor of ${dModel}` });
    }),
  objectives: z
    .array(
      z.discriminatedUnion('kind', [
        z.strictObject({ kind: z.literal('classify'), weight: z.number().default(1) }),
        z.strictObject({ kind: z.literal('attributes'), scope: z.enum(['image', 'grid']) }),
      ]),
    )
    .default([]),
});

const good = 'name: a\nmodel:\n  dModel: 8\n';

function fileOf(text: string): string {
  const path = join(temporaryFolder(), 'experiment.yaml');
  writeFileSync(path, text);
  return path;
}

function problems(text: string, overrides: string[] = []): string[] {
  const path = fileOf(text);
  try {
    loadConfig(path, Schema, overrides);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split('\n').map((line) => line.replace(path, 'FILE'));
  }
  return [];
}

describe('a right file', () => {
  it('is parsed, with defaults, and knows its folder', () => {
    const path = fileOf(good);
    const { config, baseDir } = loadConfig(path, Schema);
    expect(config).toEqual({ name: 'a', steps: 5, model: { dModel: 8, numHeads: 1 }, objectives: [] });
    expect(join(baseDir, 'experiment.yaml')).toBe(path);
  });

  it('may use anchors', () => {
    const { config } = loadConfig(fileOf('name: &n b\nmodel: { dModel: 8, kind: full }\nobjectives: []\n'), Schema);
    expect(config.model.kind).toBe('full');
  });
});

describe('an unknown key', () => {
  it('is named with its line, what was probably meant, and what is known', () => {
    expect(problems('name: a\nmodel:\n  dModel: 8\n  numHaeds: 2\n')).toEqual([
      "FILE:4: unknown key 'model.numHaeds' (did you mean 'numHeads'?); known here: dModel, numHeads, kind",
    ]);
  });

  it('at the top of the file', () => {
    expect(problems(`${good}setps: 3\n`)).toEqual([
      "FILE:4: unknown key 'setps' (did you mean 'steps'?); known here: name, steps, model, objectives",
    ]);
  });

  it('inside one branch of a union', () => {
    expect(problems(`${good}objectives:\n  - kind: classify\n    wieght: 2\n`)[0]).toMatch(
      /^FILE:6: unknown key 'objectives\.0\.wieght' \(did you mean 'weight'\?\)/,
    );
  });

  it('lists the keys of the branch that the file names, not of the others', () => {
    expect(problems(`${good}objectives:\n  - kind: classify\n    scope: grid\n`)).toEqual([
      "FILE:6: unknown key 'objectives.0.scope'; known here: kind, weight",
    ]);
  });

  it('inside an object that a plain value could stand for', () => {
    const source = z.union([
      z.string(),
      z.discriminatedUnion('format', [
        z.strictObject({ format: z.literal('coco'), path: z.string(), images: z.string().optional() }),
        z.strictObject({ format: z.literal('csv'), path: z.string() }),
      ]),
    ]);
    const schema = z.strictObject({ train: z.strictObject({ captions: source }) });
    const line = (captions: unknown): string => userErrorLine(() => parseConfig({ train: { captions } }, schema, 'X'));
    expect(line({ format: 'coco', path: 'a', imges: 'b' })).toBe(
      "X: unknown key 'train.captions.imges' (did you mean 'images'?); known here: format, path, images",
    );
    expect(line({ format: 'coca', path: 'a' })).toBe(
      "X: 'train.captions.format': expected coco, csv; got 'coca' (did you mean 'coco'?)",
    );
    expect(line(3)).toBe("X: 'train.captions': expected text or a group of keys; got 3");
  });

  it('far from every known one gets no suggestion', () => {
    expect(problems(`${good}xylophone: 3\n`)[0]).not.toContain('did you mean');
  });
});

describe('problems', () => {
  it('are all told at once, each with its line', () => {
    const text = 'name: 3\nsteps: -1\nmodel:\n  dModel: x\n  other: 1\nobjectives: 7\n';
    const lines = problems(text);
    expect(lines.map((line) => line.slice(0, 'FILE:1'.length)).sort()).toEqual(
      ['FILE:1', 'FILE:2', 'FILE:4', 'FILE:5', 'FILE:6'].sort(),
    );
  });

  it('a missing key points at the group it is missing from', () => {
    expect(problems('name: a\nmodel:\n  numHeads: 2\n')).toEqual([
      "FILE:2: 'model.dModel' is missing: expected a number",
    ]);
  });

  it('a missing top-level key has no line', () => {
    expect(problems('model:\n  dModel: 8\n')).toEqual(["FILE: 'name' is missing: expected text"]);
  });

  it('a cross-check names the key it is about', () => {
    expect(problems('name: a\nmodel:\n  dModel: 8\n  numHeads: 3\n')).toEqual([
      "FILE:4: 'model.numHeads': expected a divisor of 8",
    ]);
  });

  it('a cross-check of a key that the file leaves to its default does not call it missing', () => {
    const schema = z.strictObject({ steps: z.int(), warmup: z.int().default(10) }).superRefine((config, context) => {
      if (config.warmup > config.steps)
        context.addIssue({ code: 'custom', path: ['warmup'], message: `expected at most ${config.steps}, got 10` });
    });
    expect(userErrorLine(() => parseConfig({ steps: 4 }, schema, 'X'))).toBe("X: 'warmup': expected at most 4, got 10");
  });

  it('a wrong kind says which kinds there are', () => {
    const [line] = problems(`${good}objectives:\n  - kind: clasify\n`);
    expect(line).toBe(
      "FILE:5: 'objectives.0.kind': expected classify, attributes; got 'clasify' (did you mean 'classify'?)",
    );
  });

  it('a wrong choice says which there are', () => {
    expect(problems('name: a\nmodel:\n  dModel: 8\n  kind: casual\n')).toEqual([
      "FILE:4: 'model.kind': expected full, causal; got 'casual' (did you mean 'causal'?)",
    ]);
  });

  it('of a value that may be of several types names the type that is nearest', () => {
    const either = z.strictObject({ train: z.union([z.literal('all'), z.array(z.string()).min(1)]) });
    const line = (train: unknown): string => userErrorLine(() => parseConfig({ train }, either, 'X'));
    expect(line(['a', 3])).toBe("X: 'train.1': expected text; got 3");
    expect(line(3)).toBe(`X: 'train': expected all or a list; got 3`);
  });

  it.each([
    ['an empty file', ''],
    ['a bare word', 'hello\n'],
    ['a list', '- 1\n'],
  ])('%s is refused by its own line', (_, text) => {
    expect(problems(text).length).toBeGreaterThan(0);
  });
});

describe('a value that only looks like a number', () => {
  it.each([
    ['.nan', 'expected a number; got NaN'],
    ['.inf', 'expected a number; got Infinity'],
    ['1e400', 'expected a number; got Infinity'],
    ['9007199254740993', 'expected a number of at most 9007199254740991; got 9007199254740992'],
    ['2020-01-01', "expected a number; got '2020-01-01'"],
    ['1_000', "expected a number; got '1_000'"],
    ['2.5', 'expected an integer; got 2.5'],
  ])('%s is refused', (value, expected) => {
    expect(problems(`${good}steps: ${value}\n`)).toEqual([`FILE:4: 'steps': ${expected}`]);
  });
});

describe('a file with thousands of problems', () => {
  it.each([
    ['unknown keys', Array.from({ length: 20_000 }, (_, i) => `k${i}: 1`).join('\n'), 20_000],
    ['wrong entries', `objectives: [${new Array(20_000).fill('3').join(', ')}]`, 20_000],
  ])('of %s is told the first 20 and the number of the others, soon', (_, text, count) => {
    const started = performance.now();
    const lines = problems(`${good}${text}\n`);
    // A second at most on a free machine; the parser of YAML takes nearly all of it.
    expect(performance.now() - started).toBeLessThan(8_000);
    expect(lines).toHaveLength(21);
    expect(lines[20]).toBe(`FILE: and ${count - 20} more`);
  });
});

describe('what was expected is said in plain words:', () => {
  it.each([
    [z.boolean(), 'yes', "expected true or false; got 'yes'"],
    [z.number(), null, 'expected a number; got nothing'],
    [z.array(z.int()), { a: 1 }, 'expected a list; got a group of keys'],
    [z.strictObject({}), [1], 'expected a group of keys; got a list'],
    [z.int().positive(), 0, 'expected a number above 0; got 0'],
    [z.number().min(0).max(1), 2, 'expected a number of at most 1; got 2'],
    [z.number().min(0).lt(1), 1, 'expected a number below 1; got 1'],
    [z.int().min(5), 3, 'expected a number of at least 5; got 3'],
    [z.string().min(1), '', "expected text, not an empty one; got ''"],
    [z.array(z.string()).min(1), [], 'expected a list of at least 1 entry; got an empty list'],
    [z.tuple([z.int(), z.int()]), [1], 'expected a list of at least 2 entries; got a list'],
    [z.literal('all'), 'al', "expected all; got 'al' (did you mean 'all'?)"],
    [z.union([z.literal(false), z.array(z.string())]), 3, 'expected false or a list; got 3'],
    [z.string().regex(/=/, 'expected key=value'), 'x', "expected key=value; got 'x'"],
  ])('case %#', (schema, value, expected) => {
    expect(userErrorLine(() => parseConfig({ key: value }, z.strictObject({ key: schema }), 'X'))).toBe(
      `X: 'key': ${expected}`,
    );
  });
});

describe('YAML that is none', () => {
  it.each([
    ['an open bracket', 'name: [1, 2\n', /^FILE:\d: not valid YAML: /],
    ['two mistakes', 'name: [1, 2\nmodel: }\n', /^FILE:\d: not valid YAML: /],
    ['a key twice', `${good}name: b\n`, /^FILE:4: 'name' is given a second time here$/],
    ['a key twice, once quoted', `${good}"name": b\n`, /^FILE:4: 'name' is given a second time here$/],
    ['a list as a key', '? [a, b]\n: 3\n', /^FILE:1: expected text as a key, got a list/],
    ['two documents', `${good}---\n${good}`, /^FILE:4: expected one YAML document, got a second one after '---'$/],
    ['an alias without its anchor', 'name: *nobody\n', /^FILE: expected an anchor '&nobody' before '\*nobody'$/],
    ['a tab as indentation', 'model:\n\tdModel: 8\n', /^FILE:2: expected spaces as indentation, got a tab$/],
    ['a tag', 'name: !secret a\n', /^FILE:1: expected a plain value, got a YAML tag \(.*!secret\)$/],
    ['nothing', '', /^FILE: the file is empty$/],
    ['a comment alone', '# name: a\n', /^FILE: the file is empty$/],
    ['a null', '~\n', /^FILE: the whole file: expected a group of keys; got nothing$/],
    ['a number', '3\n', /^FILE: the whole file: expected a group of keys; got 3$/],
    ['a list', '- name: a\n', /^FILE: the whole file: expected a group of keys; got a list$/],
    ['ten thousand brackets', '['.repeat(10_000), /^FILE: its lists and groups of keys are nested too deeply$/],
    ['ten thousand dashes', `${'- '.repeat(10_000)}x`, /^FILE: its lists and groups of keys are nested too deeply$/],
    [
      'a megabyte',
      `name: ${'x'.repeat(2 ** 20)}`,
      /^cannot read configuration FILE: expected at most 262144 bytes, got 1048582$/,
    ],
    ['escape codes', '"\\e[2Jx": 1\nname: a\nmodel: { dModel: 1 }\n', /^FILE:1: unknown key '\\u001b\[2Jx'/],
  ])('%s is one line', (_, text, expected) => {
    const lines = problems(text);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(expected);
  });

  it('an alias bomb is refused', () => {
    let text = 'a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n';
    for (let i = 1; i < 7; i++) text += `a${i}: &a${i} [${new Array(10).fill(`*a${i - 1}`).join(', ')}]\n`;
    expect(problems(text)).toEqual(['FILE: too many aliases, or one of what it is in']);
  });

  it('a missing file and a folder are one line', () => {
    const folder = temporaryFolder();
    expect(userErrorLine(() => loadConfig(join(folder, 'x.yaml'), Schema))).toContain('no such file');
    expect(userErrorLine(() => loadConfig(folder, Schema))).toContain('folder');
  });

  it('a line that asks for YAML 1.1 changes no value', () => {
    expect(problems('%YAML 1.1\n---\nname: yes\nmodel: { dModel: 8 }\n')).toEqual([]);
  });

  it('never ends in anything but a UserError', () => {
    const path = fileOf('');
    const line = fc.constantFrom(
      'name: a',
      'model:',
      '  dModel: 8',
      '- x',
      '  - kind: classify',
      '&a',
      '*a',
      '!!int x',
      '{',
      '}',
      '? a',
      '---',
      '"',
      "'",
      '|',
      '%',
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(line).map((lines) => lines.join('\n')),
    );
    fc.assert(
      fc.property(text, fc.array(fc.tuple(fc.string(), fc.string()), { maxLength: 1 }), (content, sets) => {
        writeFileSync(path, content);
        try {
          loadConfig(
            path,
            Schema,
            sets.map(([key, value]) => `${key}=${value}`),
          );
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('--set', () => {
  const load = (...overrides: string[]) => loadConfig(fileOf(good), Schema, overrides).config;

  it('replaces a value', () => {
    expect(load('model.dModel=16').model.dModel).toBe(16);
  });

  it('adds a key that the file leaves out', () => {
    expect(load('steps=9').steps).toBe(9);
  });

  it('adds nested keys, making the groups between', () => {
    const { config } = loadConfig(fileOf('name: a\n'), Schema, ['model.dModel=4', 'model.numHeads=2']);
    expect(config.model).toEqual({ dModel: 4, numHeads: 2 });
  });

  it('takes any YAML value', () => {
    expect(load('objectives=[{kind: attributes, scope: grid}]').objectives).toEqual([
      { kind: 'attributes', scope: 'grid' },
    ]);
  });

  it('reaches into lists', () => {
    const text = `${good}objectives:\n  - kind: classify\n`;
    expect(loadConfig(fileOf(text), Schema, ['objectives.0.weight=3']).config.objectives).toEqual([
      { kind: 'classify', weight: 3 },
    ]);
  });

  it('keeps everything after the first equals sign', () => {
    expect(load('name=a=b').name).toBe('a=b');
  });

  it('is cited for what is wrong with its value', () => {
    expect(problems(good, ['model.dModel=wide'])).toEqual([
      "--set model.dModel=wide: 'model.dModel': expected a number; got 'wide'",
    ]);
    expect(problems(good, ['model={dModel: wide}'])).toEqual([
      "--set model={dModel: wide}: 'model.dModel': expected a number; got 'wide'",
    ]);
  });

  it('is cited for a group of keys that it alone makes', () => {
    expect(problems(good, ['modle.dModel=4'])).toEqual([
      "--set modle.dModel=4: unknown key 'modle' (did you mean 'model'?); known here: name, steps, model, objectives",
    ]);
  });

  it('is not cited for what is wrong in the file', () => {
    expect(problems(`${good}steps: x\n`, ['model.dModel=4', 'name=b'])).toEqual([
      "FILE:4: 'steps': expected a number; got 'x'",
    ]);
    expect(problems('name: a\nmodel:\n  numHeads: 2\n', ['model.numHeads=1'])).toEqual([
      "FILE:2: 'model.dModel' is missing: expected a number",
    ]);
  });

  it('of an unknown key says what was probably meant', () => {
    expect(problems(good, ['model.dMdoel=4'])[0]).toContain("unknown key 'model.dMdoel' (did you mean 'dModel'?)");
  });

  it.each([
    ['no equals sign', 'steps', '--set steps: expected key.path=value'],
    ['no key', '=3', '--set =3: expected key.path=value'],
    ['a path through a value', 'name.x=3', "--set name.x=3: 'name' is not a group of keys"],
    ['a value that is not YAML', 'steps=[1', '--set steps=[1: the value is not YAML'],
  ])('with %s is one clear line', (_, override, expected) => {
    expect(problems(good, [override])).toEqual([expected]);
  });

  it('of a name inside a list is one clear line', () => {
    expect(problems(`${good}objectives: [{kind: classify}]\n`, ['objectives.first.weight=3'])[0]).toMatch(/^--set /);
  });

  it('of an entry that a list does not have is one clear line', () => {
    expect(problems(`${good}objectives: [{kind: classify}]\n`, ['objectives.2.weight=3'])).toEqual([
      "--set objectives.2.weight=3: 'objectives' is a list; expected an entry from 0 to 1, got '2'",
    ]);
  });

  it('of nothing is told as nothing', () => {
    expect(problems(good, ['model.dModel='])).toEqual([
      "--set model.dModel=: 'model.dModel': expected a number; got nothing",
    ]);
  });

  it('may be cited as what it is, where it comes from elsewhere', () => {
    const path = fileOf(good);
    expect(userErrorLine(() => loadConfig(path, Schema, ['steps=x'], (override) => `rows: ${override}`))).toBe(
      "rows: steps=x: 'steps': expected a number; got 'x'",
    );
  });

  it('on a file that holds no keys is one clear line', () => {
    expect(problems('hello\n', ['steps=3'])).toEqual(['--set steps=3: the file is not a group of keys']);
  });
});

describe('parseConfig', () => {
  it('checks a value from elsewhere and names where it came from', () => {
    expect(userErrorLine(() => parseConfig({ name: 'a', model: { dmodel: 1, dModel: 1 } }, Schema, 'model.json'))).toBe(
      "model.json: unknown key 'model.dmodel' (did you mean 'dModel'?); known here: dModel, numHeads, kind",
    );
  });

  it('says when the whole is of the wrong type', () => {
    expect(userErrorLine(() => parseConfig(null, Schema, 'model.json'))).toContain('model.json: the whole file');
  });
});

it('what a check of our own says of a long value is cut', () => {
  const Named = z.strictObject({ row: z.string() }).superRefine(({ row }, context) => {
    context.addIssue({ code: 'custom', path: ['row'], message: `expected the name of a row, got '${row}'` });
  });
  const line = userErrorLine(() => parseConfig({ row: 'x'.repeat(20_000) }, Named, 'study'));
  expect(line).toMatch(/^study: 'row': expected the name of a row, got 'x+…$/);
  expect(line.length).toBeLessThan(700);
});
