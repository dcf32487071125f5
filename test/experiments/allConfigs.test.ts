import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseExperiment } from '#experiments';

const folder = resolve(import.meta.dirname, '../../experiments');
const names = readdirSync(folder, { recursive: true })
  .map((name) => String(name).replaceAll('\\', '/'))
  .filter((name) => /\.ya?ml$/.test(name))
  .sort();

describe('every experiment file', () => {
  it('is found', () => {
    expect(names).toContain('quickstart/pipeline.yaml');
    expect(names.length).toBeGreaterThan(10);
  });

  it.each(names)('%s is what its kind asks for', (name) => {
    expect(parseExperiment(join(folder, name)).config.name.length).toBeGreaterThan(0);
  });
});
