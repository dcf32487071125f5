import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ConfigError } from '#src/errors';
import { readJson } from '#src/storage';
import { openRunDirectory, type Provenance } from '#src/training';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';

const provenance = (config: unknown): Provenance => ({
  command: 'train',
  config,
  seed: 4,
  engine: { name: 'cpu', device: 'CPU', why: 'asked for', version: 'tfjs' },
});

it('a new run writes down what it was made with', () => {
  const folder = join(temporaryFolder(), 'run');
  openRunDirectory(folder, provenance({ steps: 3 }), false);
  expect(readJson(join(folder, 'config.json'), 'config')).toEqual({ steps: 3 });
  expect(readJson(join(folder, 'provenance.json'), 'provenance')).toMatchObject({
    command: 'train',
    seed: 4,
    engine: { name: 'cpu' },
    node: process.version,
  });
});

it('a folder that holds a run is not taken over', () => {
  const folder = temporaryFolder();
  openRunDirectory(folder, provenance({ steps: 3 }), false);
  expect(userErrorLine(() => openRunDirectory(folder, provenance({ steps: 3 }), false))).toContain('--resume');
});

it('a run is resumed with the configuration it was started with', () => {
  const folder = temporaryFolder();
  openRunDirectory(folder, provenance({ steps: 3, left: undefined }), false);
  openRunDirectory(folder, provenance({ steps: 3, left: undefined }), true);
});

it('a run is not resumed with another configuration', () => {
  const folder = temporaryFolder();
  openRunDirectory(folder, provenance({ steps: 3 }), false);
  expect(() => openRunDirectory(folder, provenance({ steps: 4 }), true)).toThrow(ConfigError);
  expect(readJson(join(folder, 'config.json'), 'config')).toEqual({ steps: 3 });
});

it('resuming where nothing was started begins a run', () => {
  const folder = join(temporaryFolder(), 'run');
  openRunDirectory(folder, provenance({ steps: 3 }), true);
  expect(existsSync(join(folder, 'config.json'))).toBe(true);
});
