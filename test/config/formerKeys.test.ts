import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { formerKeys, loadConfig, parseConfig } from '#src/config';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';

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

/** The lines by which a value is refused. */
function lines(value: unknown): string[] {
  try {
    parseConfig(value, Schema, 'X');
  } catch (error) {
    return (error as Error).message.split('\n');
  }
  return [];
}

describe('a key under its former name', () => {
  it('is refused with its present name, and the present one is not called missing', () => {
    expect(lines({ title: 'a', model })).toEqual(["X: 'title' was renamed to 'name'"]);
  });

  it('may have moved into a group', () => {
    expect(lines({ name: 'a', model: { width: 2, depth: 3 } })).toEqual([
      "X: 'model.width' was renamed to 'model.stack.width'",
      "X: 'model.depth' was renamed to 'model.stack.depth'",
    ]);
  });

  it('may be inside lists and unions', () => {
    expect(lines({ name: 'a', model, sets: ['x', { files: [], portion: 0.1 }] })).toEqual([
      "X: 'sets.1.portion' was renamed to 'sets.1.share'",
    ]);
  });

  it('does not hide that other keys are missing', () => {
    expect(lines({ title: 'a' })).toEqual([
      "X: 'model' is missing: expected a group of keys",
      "X: 'title' was renamed to 'name'",
    ]);
  });

  it('is cited with its line, or with the --set that gives it', () => {
    const path = join(temporaryFolder(), 'x.yaml');
    writeFileSync(path, 'model:\n  stack: { width: 2, depth: 3 }\ntitle: a\n');
    expect(userErrorLine(() => loadConfig(path, Schema))).toBe(`${path}:3: 'title' was renamed to 'name'`);
    writeFileSync(path, 'name: a\nmodel:\n  stack: { width: 2, depth: 3 }\n');
    expect(userErrorLine(() => loadConfig(path, Schema, ['model.width=7']))).toBe(
      "--set model.width=7: 'model.width' was renamed to 'model.stack.width'",
    );
  });
});
