import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadJointModel } from '#fusion';
import { selectEngine } from '#src/engine';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { writeTinyBackbones } from '../support/tinyBackbones.js';
import { mergeTiny } from '../support/tinyJointModel.js';

it('a merged checkpoint of format 1, with the names of that time, is read', async () => {
  await selectEngine('wasm');
  const folder = temporaryFolder();
  writeTinyBackbones(folder);
  const merged = mergeTiny(folder, { imageStates: 'perLayer' });
  const now = loadJointModel(merged);
  const path = join(merged, 'model.json');
  const { config, kind } = JSON.parse(readFileSync(path, 'utf8'));
  const { backbone: vision, ...visionRest } = config.vision;
  const { backbone: language, ...languageRest } = config.language;
  const former = {
    vision: { vision, ...visionRest },
    language: { language, ...languageRest },
    fusion: { ...config.fusion, imageStates: 'aligned' },
  };
  rmSync(join(merged, 'manifest.json')); // there was none at that time
  writeFileSync(path, JSON.stringify({ format: 1, kind, config: former }));
  const then = loadJointModel(merged);
  expect(then.config).toEqual(now.config);
  for (const model of [now, then]) model.dispose();
});
