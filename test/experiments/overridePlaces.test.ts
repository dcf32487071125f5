import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { parseExperimentOf } from '#experiments';
import { pipelineFiles } from '../../experiments/pipeline/pipelineStages.js';
import { stageFiles } from '../../experiments/study/stageFiles.js';
import { userErrorLine } from '../support/thrown.js';

const experiments = resolve(import.meta.dirname, '../../experiments');

it("cites an override of a pipeline's stage as it was given, and one of the pipeline's own by its key", () => {
  const path = `${experiments}/quickstart/pipeline.yaml`;
  const pipeline = parseExperimentOf(path, ['pipeline']);
  expect(userErrorLine(() => pipelineFiles(pipeline, path, ['vision.training.steps=few']))).toBe(
    "--set vision.training.steps=few: 'training.steps': expected a number; got 'few'",
  );
  const wrong = { ...pipeline, upperBound: ['training.setps=3'] };
  expect(userErrorLine(() => pipelineFiles(wrong, path, []))).toContain(
    `${path}: upperBound: training.setps=3: unknown key 'training.setps' (did you mean 'steps'?)`,
  );
});

it('cites an override of a row of a study by its place there', () => {
  const path = `${experiments}/fusion-study/study.yaml`;
  const study = parseExperimentOf(path, ['study']);
  const [first, ...others] = study.rows;
  const rows = [first, { ...others[0], merge: ['fusion.methd=union'] }, ...others.slice(1)];
  expect(userErrorLine(() => stageFiles({ ...study, rows }, path))).toContain(
    `${path}: rows.1.merge: fusion.methd=union: unknown key 'fusion.methd' (did you mean 'method'?)`,
  );
});
