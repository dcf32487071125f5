import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const rows = readFileSync(join(root, 'docs/reliability.md'), 'utf8')
  .split('## What can go wrong')[1]
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (what|---) /.test(line));

it('docs/reliability.md names for everything that can go wrong a test that exists', () => {
  expect(rows.length).toBeGreaterThan(10);
  for (const row of rows) {
    const tests = [...row.split('|')[3].matchAll(/`([^`]+)`/g)].map(([, path]) => path);
    expect(tests, row).not.toEqual([]);
    for (const path of tests) expect(existsSync(join(root, path)), path).toBe(true);
  }
});
