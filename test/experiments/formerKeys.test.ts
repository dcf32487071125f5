import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { parseExperiment } from '#experiments';

const quickstart = resolve(import.meta.dirname, '../../experiments/quickstart');

it.each([
  ['language', 'model.dModel=8', 'model.stack.dModel=8'],
  ['language', 'model.rotaryShare=0.5', 'model.stack.rotaryShare=0.5'],
  ['language', 'embeddingStd=0.5', 'model.embeddingStd=0.5'],
  ['language', 'evaluationBatches=2', 'data.maxValidationBatches=2'],
  ['language', 'data.heldOutFiles=[a.txt]', 'data.validationFiles=[a.txt]'],
  ['vision', 'data.evaluationImages=9', 'data.maxValidationImages=9'],
  ['evaluate', 'controls.neighbourImages=9', 'controls.maxNeighbourImages=9'],
  [
    'align',
    'replay={text: {files: [a.txt], seqLen: 8, heldOutShare: 0.1}}',
    'replay={text: {files: [a.txt], seqLen: 8, validationShare: 0.1}}',
  ],
])('%s: %s is read as %s', (kind, before, now) => {
  const file = `${quickstart}/${kind}.yaml`;
  const plain = parseExperiment(file).config;
  const [old, present] = [before, now].map((override) => parseExperiment(file, [override]).config);
  expect(old).toEqual(present);
  expect(old).not.toEqual(plain);
});
