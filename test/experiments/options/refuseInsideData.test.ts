import { mkdirSync } from 'node:fs';
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
  ])('is refused: %s in %s', async (name, path) => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'cls', 'cats'), { recursive: true });
    const words = ['train', writeExperiment(folder, visionOf(path, 'x')), '--out', name];
    expect(await refusal(words, folder, 2)).toMatch(/lies inside .*, the data of 'data\.train\.path'/);
  });

  it('is not refused beside it, where the names begin alike', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'cls'));
    expect(await refusal(['train', writeExperiment(folder, visionOf('cls', 'cls-run'))], folder, 2)).toContain(
      'expected one folder per class',
    );
  });
});
