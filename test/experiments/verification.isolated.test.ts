import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { writeTinyBackbones } from '../support/tinyBackbones.js';
import { tinyRecipe } from '../support/tinyJointModel.js';
import { refusal, tokenfuse, writeExperiment } from '../support/tokenfuse.js';

it('--no-verify reads a checkpoint whose files are not those of its manifest', async () => {
  const folder = temporaryFolder();
  writeTinyBackbones(folder);
  const path = writeExperiment(folder, tinyRecipe());
  appendFileSync(join(folder, 'language', 'tokenizer.json'), '\n');
  const words = ['merge', path, '--out', 'merged'];
  const refused = await refusal(words, folder, 2);
  expect(refused).toContain('language/tokenizer.json: damaged');
  expect(refused).toContain('--no-verify');
  expect(await tokenfuse([...words, '--no-verify'], folder)).toMatchObject({ code: 0, stderr: '' });
});
