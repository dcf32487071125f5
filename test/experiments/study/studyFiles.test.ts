import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { openStudy } from '../../../experiments/study/openStudy.js';
import { STUDIES } from '../../../experiments/study/studies.js';

const folder = resolve(import.meta.dirname, '../../../experiments');
const sweeps = ['scaling', 'vision-objectives']
  .flatMap((room) => readdirSync(join(folder, room)).map((name) => `${room}/${name}`))
  .filter((file) => readFileSync(join(folder, file), 'utf8').includes('kind: sweep'));

it('there are sweeps', () => {
  expect(sweeps).toEqual(expect.arrayContaining(['scaling/ladder.yaml', 'vision-objectives/sweep.yaml']));
});

it.each(sweeps)('every stage of %s can be had, and of its quick variant', (name) => {
  const path = join(folder, name);
  const [full, quick] = [openStudy(path), openStudy(path, [], true)];
  expect(new Set(full.cells.map(({ folder: cell }) => cell)).size).toBe(full.cells.length);
  expect(quick.cells.length).toBeLessThan(full.cells.length);
  expect(quick.cells.length).toBeGreaterThan(0);
});

it.each(sweeps)('%s has its place in the results', (name) => {
  const study = openStudy(join(folder, name), [], true).name.replace(/-quick$/, '');
  const results = readFileSync(join(folder, 'RESULTS.md'), 'utf8');
  expect(results).toContain(`<!-- ${study}:start -->\n`);
  expect(STUDIES).toContain(name);
});
