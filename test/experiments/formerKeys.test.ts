import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { parseExperiment } from '#experiments';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { TINY_STACK } from '../support/tinyBackbones.js';
import { tokenfuseProcess, writeExperiment } from '../support/tokenfuse.js';

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

it('is said once on stderr, and the run keeps the present names', async () => {
  const folder = temporaryFolder();
  const { rotaryBase: _, ...stack } = TINY_STACK;
  writeFileSync(join(folder, 'text.txt'), 'a b\n'.repeat(20));
  const path = writeExperiment(folder, {
    kind: 'language',
    name: 'run',
    model: stack,
    tokenizer: { kind: 'tiktoken', encoding: 'gpt2' },
    data: { files: ['text.txt'], documents: 'line', seqLen: 4, heldOutShare: 0.3 },
    training: { steps: 0, batchSize: 2, learningRate: 0.01 },
  });
  const { code, stdout, stderr } = await tokenfuseProcess(['train', path, '--engine', 'cpu'], folder);
  expect(code, stderr).toBe(0);
  expect(stderr.split('\n').filter((line) => line.includes(' is now '))).toEqual([
    `tokenfuse: ${path}:4: 'model.dModel' is now 'model.stack.dModel' (and ${Object.keys(stack).length} more); the old names still work`,
  ]);
  expect(stdout).not.toContain(' is now ');
  const { model, data } = JSON.parse(readFileSync(join(folder, 'run/config.json'), 'utf8'));
  expect(model.stack).toMatchObject(stack);
  expect(data).toMatchObject({ validationShare: 0.3 });
  expect(JSON.stringify(data)).not.toContain('heldOut');
});
