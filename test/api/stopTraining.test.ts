import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { trainLanguage } from '../../api/language.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { tokenfuse } from '../support/tokenfuse.js';

it('an AbortSignal stops training with its reason; resumed it goes to the end', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'text.txt'), 'a red ball\ntwo dogs run\none green tree\na blue ring\n');
  await tokenfuse(['tokenizer', 'train', 'text.txt', '--vocab-size', '260', '--out', 'tok.json'], folder);
  const sizes = { qkvParamTokens: 4, outputParamTokens: 4, ffnParamTokens: 4 };
  const experiment = {
    model: { stack: { dModel: 8, numLayers: 1, numHeads: 1, rotaryShare: 0.5, ...sizes } },
    tokenizer: { kind: 'bpe', path: 'tok.json' },
    data: { files: ['text.txt'], documents: 'line', layout: 'documents', seqLen: 16, validationShare: 0.3 },
    training: { steps: 4, batchSize: 2, learningRate: 0.01, evaluateEvery: 2 },
  };
  const controller = new AbortController();
  const places = { root: folder, out: join(folder, 'run'), cacheDir: join(folder, 'cache') };
  const log = (line: string): void => {
    if (line.includes('step 2:')) controller.abort(new Error('enough'));
  };
  await expect(trainLanguage(experiment, { ...places, log, signal: controller.signal })).rejects.toThrow('enough');
  expect((await trainLanguage(experiment, { ...places, resume: true })).steps).toBe(4);
}, 30_000);
