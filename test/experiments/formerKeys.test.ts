import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { parseExperiment } from '#experiments';
import { userErrorLine } from '../support/thrown.js';

const quickstart = resolve(import.meta.dirname, '../../experiments/quickstart');

it.each([
  ['language', 'model.dModel=8', 'model.stack.dModel'],
  ['language', 'model.rotaryShare=0', 'model.stack.rotaryShare'],
  ['language', 'embeddingStd=0.1', 'model.embeddingStd'],
  ['language', 'evaluationBatches=2', 'data.maxValidationBatches'],
  ['language', 'data.heldOutFiles=[a.txt]', 'data.validationFiles'],
  ['language', 'data.heldOutShare=0.1', 'data.validationShare'],
  ['vision', 'data.evaluationImages=9', 'data.maxValidationImages'],
  ['evaluate', 'controls.neighbourImages=9', 'controls.maxNeighbourImages'],
  ['align', 'replay={text: {files: [a.txt], seqLen: 8, heldOutShare: 0.1}}', 'replay.text.validationShare'],
])('%s: %s names the present key %s', (kind, override, present) => {
  const refused = userErrorLine(() => parseExperiment(`${quickstart}/${kind}.yaml`, [override]));
  expect(refused).toMatch(/^--set .*: '[\w.]+' was renamed to '/);
  expect(refused).toContain(`--set ${override}: `);
  expect(refused).toContain(`was renamed to '${present}'`);
});
