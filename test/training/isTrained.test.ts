import { beforeAll, expect, it } from 'vitest';
import { selectEngine } from '#src/engine';
import { isTrained, TrainingConfig } from '#src/training';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { regression, train } from '../support/tinyTraining.js';

beforeAll(() => selectEngine('cpu'));

const config = (more: Partial<TrainingConfig>): TrainingConfig =>
  TrainingConfig.parse({ steps: 4, batchSize: 4, learningRate: 0.05, evaluateEvery: 1, ...more });

it('a run is trained when all its steps are done', async () => {
  const runDir = temporaryFolder();
  expect(isTrained(runDir, config({}))).toBe(false);
  await train(regression(), runDir, config({}));
  expect(isTrained(runDir, config({}))).toBe(true);
  expect(isTrained(runDir, config({ steps: 5 }))).toBe(false);
});

it('or when its patience is', async () => {
  const runDir = temporaryFolder();
  let loss = 0;
  const worse = { ...regression(), evaluate: async () => ({ 'validation/loss': loss++ }) };
  await train(worse, runDir, config({ steps: 50, patience: 2 }));
  expect(isTrained(runDir, config({ steps: 50, patience: 2 }))).toBe(true);
  expect(isTrained(runDir, config({ steps: 50 }))).toBe(false);
});
