import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { writeTinyBackbones } from '../support/tinyBackbones.js';
import { tinyRecipe } from '../support/tinyJointModel.js';
import { writeTinyTransformer } from '../support/tinyTransformer.js';
import { tinyTuning, writeRhymes } from '../support/tinyTune.js';
import { refusal, writeExperiment } from '../support/tokenfuse.js';

const ENGINE = ['--engine', 'cpu'];

it.each([
  ['tune', ['tune', 'tune.yaml', ...ENGINE], 'tune'],
  ['inspect', ['inspect', 'transformer', '--out', 'out', ...ENGINE], 'out'],
  ['merge', ['merge', 'merge.yaml'], 'merged'],
])('%s refuses a standard Transformer in one line and writes nothing', async (_, words, written) => {
  const folder = temporaryFolder();
  writeTinyBackbones(folder);
  writeTinyTransformer(folder);
  writeRhymes(folder);
  writeExperiment(folder, JSON.parse(JSON.stringify(tinyTuning({ model: 'transformer' }))));
  writeExperiment(folder, JSON.parse(JSON.stringify({ ...tinyRecipe(), language: 'transformer' })));
  expect(await refusal(words, folder, 2)).toContain('got a standard Transformer, which has no parameter tokens');
  expect(existsSync(join(folder, written))).toBe(false);
});
