import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { parseExperimentOf } from '#experiments';
import { pipelineFiles, pipelineStages } from '../../experiments/pipeline/pipelineStages.js';
import { writeMiniPipeline } from '../support/miniPipeline.js';
import { temporaryFolder } from '../support/temporaryFolder.js';

/** Names and needs of a pipeline's stages, without the keys that are left out. */
function graphOf(path: string, withUpperBound: boolean, without: readonly string[] = []): Record<string, string[]> {
  const content = parse(readFileSync(path, 'utf8'));
  for (const key of without) delete content[key];
  writeFileSync(path, stringify(content));
  const files = pipelineFiles(parseExperimentOf(path, ['pipeline']), path, []);
  const places = { root: 'out', cacheDir: 'cache', engineWords: [] };
  const stages = pipelineStages(files, places, { withUpperBound, quietEvaluation: true });
  return Object.fromEntries(stages.map(({ name, needs }) => [name, [...needs]]));
}

it('draws the scenes first, and aligns the upper bound beside the bridge', () => {
  const path = writeMiniPipeline(temporaryFolder());
  expect(graphOf(path, true)).toEqual({
    scenes: [],
    tokenizer: ['scenes'],
    vision: ['scenes'],
    language: ['scenes', 'tokenizer'],
    merge: ['vision', 'language'],
    align: ['scenes', 'merge'],
    'align-all': ['scenes', 'merge'],
    evaluate: ['scenes', 'align', 'align-all'],
  });
});

it('starts both backbones at once where data and tokenizer are there already', () => {
  const path = writeMiniPipeline(temporaryFolder());
  expect(graphOf(path, false, ['scenes', 'tokenizer'])).toEqual({
    vision: [],
    language: [],
    merge: ['vision', 'language'],
    align: ['merge'],
    evaluate: ['align'],
  });
});

it('makes a page beside the evaluation, where one is asked for', () => {
  const path = writeMiniPipeline(temporaryFolder());
  writeFileSync(path, `${readFileSync(path, 'utf8')}\npage: true\n`);
  expect(graphOf(path, false)).toMatchObject({ page: ['scenes', 'align'], evaluate: ['scenes', 'align'] });
});

it('refuses changes to a stage that the pipeline does not have', () => {
  const folder = temporaryFolder();
  const path = writeMiniPipeline(folder);
  graphOf(path, false, ['tokenizer']);
  const pipeline = parseExperimentOf(path, ['pipeline']);
  expect(() => pipelineFiles(pipeline, path, ['tokenizer.vocabSize=300'])).toThrow(
    `--set tokenizer.…: ${join(folder, 'pipeline.yaml')} has no stage 'tokenizer'`,
  );
});
