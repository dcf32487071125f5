import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseExperimentOf } from '#experiments';
import { merge, planMerge } from '#fusion';
import { readModel, writeCheckpoint } from '#src/training';
import { VISION_KIND } from '#vision';
import { experimentStage } from '../../../experiments/stages/index.js';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { userErrorLine } from '../../support/thrown.js';
import { writeTinyBackbones } from '../../support/tinyBackbones.js';
import { writeExperiment } from '../../support/tokenfuse.js';

/** The stage of a merge whose output is there. */
function mergedStage(overwrite = false) {
  const root = temporaryFolder();
  writeTinyBackbones(root);
  const recipe = {
    kind: 'merge',
    name: 'merged',
    vision: 'vision',
    language: 'language',
    fusion: { bridge: { tokens: 2 } },
  };
  const path = writeExperiment(root, recipe);
  const experiment = parseExperimentOf(path, ['merge']);
  const { plan, problems } = planMerge(experiment, root);
  if (plan === undefined) throw new Error(problems.join());
  merge(plan, join(root, 'merged'));
  const places = { root, cacheDir: join(root, 'cache'), engineWords: [], overwrite };
  const stage = experimentStage({ name: 'merge', needs: [], path, overrides: [], experiment }, places);
  return { root, stage };
}

/** Puts another vision backbone where the one that was merged is. */
function trainVisionOn(root: string): void {
  const directory = join(root, 'vision');
  const { config, tensors, assets } = readModel(directory, VISION_KIND);
  const [[name, { shape, values }]] = tensors;
  rmSync(directory, { recursive: true });
  const changed = new Map(tensors).set(name, { shape, values: Float32Array.from(values, (value) => value + 1) });
  writeCheckpoint(directory, { model: { kind: 'vision', config }, tensors: changed, assets });
}

it('a merge of the backbones that are there is complete', () => {
  expect(mergedStage().stage.isComplete()).toBe(true);
});

it('a merge of backbones that were trained on since is not taken for theirs', () => {
  const { root, stage } = mergedStage();
  trainVisionOn(root);
  expect(userErrorLine(() => stage.isComplete())).toMatch(
    /merged: was made with other settings than .*, or of other models than are there now; give --overwrite/,
  );
});

it('it is made again where overwriting is asked for', () => {
  const { root, stage } = mergedStage(true);
  trainVisionOn(root);
  expect(stage.isComplete()).toBe(false);
});

it('a merge is complete without its backbones', () => {
  const { root, stage } = mergedStage();
  rmSync(join(root, 'vision'), { recursive: true });
  expect(stage.isComplete()).toBe(true);
});
