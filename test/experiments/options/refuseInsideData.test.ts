import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { refusal, writeExperiment } from '../../support/tokenfuse.js';

const stack = { dModel: 16, numLayers: 1, numHeads: 2, qkvParamTokens: 8, outputParamTokens: 8, ffnParamTokens: 8 };

const visionOf = (path: string, name: string) => ({
  ...{ kind: 'vision', name },
  model: { imageSize: 16, patchSize: 8, stack },
  objectives: [{ kind: 'classify' }],
  data: { train: { kind: 'classFolders', path } },
  training: { steps: 1, batchSize: 2, learningRate: 1e-3 },
});

describe('a result inside the data it is made from', () => {
  it.each([
    ['cls', 'cls'],
    ['cls/run', 'cls'],
    ['run', '.'],
    ['link/run', 'cls'],
  ])('is refused: %s in %s', async (name, path) => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'cls', 'cats'), { recursive: true });
    symlinkSync('cls', join(folder, 'link'));
    const words = ['train', writeExperiment(folder, visionOf(path, 'x')), '--out', name];
    expect(await refusal(words, folder, 2)).toMatch(
      /(lies inside .*, the data of|is what the experiment reads as) 'data\.train\.path'/,
    );
  });

  it('is not refused beside it, where the names begin alike', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'cls'));
    expect(await refusal(['train', writeExperiment(folder, visionOf('cls', 'cls-run'))], folder, 2)).toContain(
      'expected one folder per class',
    );
  });
});

describe('a result in the place of what it is made from', () => {
  const recipe = { kind: 'merge', name: 'm', vision: 'v', language: 'l', fusion: { bridge: { tokens: 2 } } };
  const coco = { ...visionOf('cls', 'x'), data: { train: { kind: 'coco', annotations: 'cls/a.json' } } };

  it.each([
    ['merge', recipe, 'v', /v: is what the experiment reads as 'vision'/],
    ['merge', recipe, '.', /holds what the experiment reads as 'vision'/],
    ['train', coco, 'cls', /cls: holds what the experiment reads as 'data\.train\.annotations'/],
  ])('is refused, so that overwriting does not move it aside: %s', async (command, experiment, out, message) => {
    const folder = temporaryFolder();
    for (const name of ['v', 'l', 'cls']) mkdirSync(join(folder, name));
    writeFileSync(join(folder, 'cls', 'a.json'), '{}');
    const words = [command, writeExperiment(folder, experiment), '--out', out, '--overwrite'];
    expect(await refusal(words, folder, 2)).toMatch(message);
    expect(readdirSync(folder).sort()).toEqual(['cls', 'l', `${experiment.kind}.yaml`, 'v'].sort());
  });
});
