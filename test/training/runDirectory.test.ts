import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { formerKeys } from '#src/config';
import { RunError } from '#src/errors';
import { readJson } from '#src/storage';
import {
  inResultFolder,
  inRunDirectory,
  isStartedWith,
  type Provenance,
  type RunDirectoryOptions,
} from '#src/training';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { rejectedLine } from '../support/thrown.js';

const provenance = (config: unknown, command = 'tokenfuse train x.yaml'): Provenance => ({
  command,
  config,
  seed: 4,
  engine: { name: 'cpu', device: 'CPU', why: 'asked for', version: 'tfjs' },
});
const training = (values: object) => ({ training: values });

/** Opens a run directory as a command does, leaves a result in it, and closes it. */
function open(folder: string, config: unknown, options: Partial<RunDirectoryOptions> = {}): Promise<void> {
  return inRunDirectory(folder, provenance(config), { resume: false, ...options }, async () =>
    writeFileSync(join(folder, 'metrics.jsonl'), ''),
  );
}

it('a new run writes down what it was made with', async () => {
  const folder = join(temporaryFolder(), 'run');
  await open(folder, { steps: 3 });
  expect(readJson(join(folder, 'config.json'), 'config')).toEqual({ steps: 3 });
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
  expect(readJson(join(folder, 'provenance.json'), 'provenance')).toMatchObject({
    ...{ command: 'tokenfuse train x.yaml', seed: 4, engine: { name: 'cpu' }, node: process.version, version },
  });
});

it('a run that is there is not started again unasked', async () => {
  const folder = temporaryFolder();
  await open(folder, { steps: 3 });
  expect(await rejectedLine(open(folder, { steps: 3 }))).toMatch(/holds a run already; give --resume .* --overwrite/);
});

it('a folder with other files is not taken for a run', async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'cats'));
  for (const resume of [false, true]) {
    expect(await rejectedLine(open(folder, {}, { resume }))).toMatch(
      /expected a new or empty place, got a folder with cats/,
    );
  }
  expect(readdirSync(folder)).toEqual(['cats']);
});

it('overwriting moves the run aside, whole', async () => {
  const folder = join(temporaryFolder(), 'run');
  await open(folder, { steps: 3 });
  const lines: string[] = [];
  await open(folder, { steps: 4 }, { overwrite: true, say: (line) => lines.push(line) });
  expect(lines).toEqual([`${folder}: moved to ${folder}.old-1`]);
  expect(readJson(join(folder, 'config.json'), 'config')).toEqual({ steps: 4 });
  expect(readJson(join(`${folder}.old-1`, 'config.json'), 'config')).toEqual({ steps: 3 });
  expect(readdirSync(`${folder}.old-1`).sort()).toEqual(['config.json', 'metrics.jsonl', 'provenance.json']);
});

it('overwriting moves a damaged run aside too', async () => {
  const folder = join(temporaryFolder(), 'run');
  await open(folder, { steps: 3 });
  writeFileSync(join(folder, 'config.json'), '{');
  expect(await rejectedLine(open(folder, { steps: 3 }, { resume: true }))).toContain('config.json');
  await open(folder, { steps: 3 }, { resume: true, overwrite: true });
  expect(readFileSync(join(`${folder}.old-1`, 'config.json'), 'utf8')).toBe('{');
});

describe('resuming', () => {
  it('takes the configuration that the run was started with, in any order of keys', async () => {
    const folder = temporaryFolder();
    await open(folder, { steps: 3, seed: 1, left: undefined });
    await open(folder, { seed: 1, left: undefined, steps: 3 }, { resume: true });
  });

  it('names what differs in another configuration', async () => {
    const folder = temporaryFolder();
    await open(folder, training({ steps: 3, batchSize: 2 }));
    const line = await rejectedLine(open(folder, training({ steps: 3, batchSize: 4 }), { resume: true }));
    expect(line).toMatch(/training\.batchSize 2, now 4\); repeat the --set options/);
    expect(readJson(join(folder, 'config.json'), 'config')).toEqual(training({ steps: 3, batchSize: 2 }));
  });

  it('takes what an earlier version started: under former names, and without the keys that are new', async () => {
    const folder = temporaryFolder();
    const sizes = z.strictObject({ stack: z.strictObject({ width: z.int() }), depth: z.int().default(2) });
    const schema = formerKeys(sizes, { dModel: 'stack.width' });
    await open(folder, { dModel: 8 });
    await open(folder, { stack: { width: 8 }, depth: 2 }, { resume: true, schema });
    expect(isStartedWith(folder, { stack: { width: 8 }, depth: 2 }, schema)).toBe(true);
    const line = await rejectedLine(open(folder, { stack: { width: 9 }, depth: 2 }, { resume: true, schema }));
    expect(line).toContain('stack.width 8, now 9');
  });

  it('does not go on from another model', async () => {
    const folder = join(temporaryFolder(), 'run');
    const from = (model: string) => ({ ...provenance({}), inputs: { model } });
    const opened = (model: string, overwrite = false) =>
      inRunDirectory(folder, from(model), { resume: true, overwrite }, async () => undefined);
    await opened('a');
    await opened('a');
    expect(await rejectedLine(opened('b'))).toMatch(/was started from another model .*--overwrite/);
    await opened('b', true);
    expect(existsSync(`${folder}.old-1`)).toBe(true);
  });

  it('begins a run where none was started', async () => {
    const folder = join(temporaryFolder(), 'run');
    await open(folder, { steps: 3 }, { resume: true });
    expect(existsSync(join(folder, 'config.json'))).toBe(true);
  });

  it('goes on in a folder that a kill left before it was opened', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'provenance.json'), '{}');
    writeFileSync(join(folder, 'config.json.0a1b2c3d-4711-0a1b2c3d.tmp'), '{');
    await open(folder, { steps: 3 });
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    expect(readJson(join(folder, 'provenance.json'), 'provenance')).toMatchObject({ seed: 4 });
  });
});

it('a result of another kind too goes on in a folder that a kill left before it was opened', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'provenance.json'), '{}');
  writeFileSync(join(folder, 'config.json.0a1b2c3d-4711-0a1b2c3d.tmp'), '{');
  await inResultFolder(folder, provenance({ sets: 1 }), { isOwn: () => false }, async () => undefined);
  expect(readJson(join(folder, 'config.json'), 'config')).toEqual({ sets: 1 });
});

describe('extending', () => {
  it('takes more steps, and writes down that it did', async () => {
    const folder = temporaryFolder();
    await open(folder, training({ steps: 3 }));
    expect(await rejectedLine(open(folder, training({ steps: 5 }), { resume: true }))).toMatch(/give --extend/);
    const lines: string[] = [];
    const options = { resume: true, extend: true, say: (line: string) => lines.push(line) };
    const longer = provenance(training({ steps: 5 }), 'tokenfuse train x.yaml --extend');
    await inRunDirectory(folder, longer, options, async () => undefined);
    expect(lines.join()).toMatch(/^extended: training\.steps 3, now 5\. The learning rate follows the longer schedule/);
    expect(readJson(join(folder, 'config.json'), 'config')).toEqual(training({ steps: 5 }));
    expect(readJson(join(folder, 'provenance.json'), 'provenance')).toMatchObject({
      command: 'tokenfuse train x.yaml',
      extensions: [{ command: 'tokenfuse train x.yaml --extend', changes: ['training.steps 3, now 5'] }],
    });
  });

  it('that fails before the run goes on is taken back', async () => {
    const folder = temporaryFolder();
    await open(folder, training({ steps: 3 }));
    const before = readFileSync(join(folder, 'provenance.json'), 'utf8');
    const options = { resume: true, extend: true };
    const failing = inRunDirectory(folder, provenance(training({ steps: 5 })), options, () =>
      Promise.reject(new Error()),
    );
    await expect(failing).rejects.toThrow();
    expect(readJson(join(folder, 'config.json'), 'config')).toEqual(training({ steps: 3 }));
    expect(readFileSync(join(folder, 'provenance.json'), 'utf8')).toBe(before);
  });

  it('takes more patience, or none', async () => {
    const folder = temporaryFolder();
    await open(folder, training({ steps: 3, patience: 2 }));
    await open(folder, training({ steps: 3, patience: 4 }), { resume: true, extend: true });
    await open(folder, training({ steps: 3 }), { resume: true, extend: true });
  });

  it.each([
    [training({ steps: 2 }), 'training.steps 3, now 2'],
    [training({ steps: 5, batchSize: 2 }), 'training.batchSize not set, now 2'],
  ])('refuses what is no longer run of the same experiment: %j', async (config, difference) => {
    const folder = temporaryFolder();
    await open(folder, training({ steps: 3 }));
    expect(await rejectedLine(open(folder, config, { resume: true, extend: true }))).toContain(difference);
  });
});

it('another process, or another run of this one, cannot write to it meanwhile', async () => {
  const folder = join(temporaryFolder(), 'run');
  await inRunDirectory(folder, provenance({}), { resume: false }, async () => {
    const second = inRunDirectory(folder, provenance({}), { resume: true }, async () => undefined);
    await expect(second).rejects.toThrow(RunError);
    await expect(second).rejects.toThrow(`in use by process ${process.pid} since`);
  });
  expect(existsSync(join(folder, '.lock'))).toBe(false);
});

it('a new folder is removed when the work fails before it has a result', async () => {
  const folder = join(temporaryFolder(), 'run');
  const failing = inRunDirectory(folder, provenance({}), { resume: false }, async () => {
    throw new Error('no data');
  });
  await expect(failing).rejects.toThrow('no data');
  expect(existsSync(folder)).toBe(false);
});
