import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { writeMiniPipeline } from '../support/miniPipeline.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { refusal } from '../support/tokenfuse.js';

it.each(['report.html', 'summary.json'])('a %s of the user is not written over', async (name) => {
  const folder = temporaryFolder();
  const path = writeMiniPipeline(folder);
  writeFileSync(join(folder, name), 'mine');
  expect(await refusal(['run', path, '--root', folder], folder, 2)).toContain(`${name}: is not of this program`);
  expect(readFileSync(join(folder, name), 'utf8')).toBe('mine');
});
