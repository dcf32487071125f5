import { dirname } from 'node:path';
import { writeMiniPipeline } from './miniPipeline.js';
import { writeExperiment } from './tokenfuse.js';

const sizes = (tokens: number): string[] => [
  `model.stack.qkvParamTokens=${tokens}`,
  `model.stack.outputParamTokens=${tokens}`,
  `model.stack.ffnParamTokens=${2 * tokens}`,
];

/** A sweep that takes seconds: a small language model, larger ones out of it and from scratch. */
export const MINI_SWEEP = {
  kind: 'sweep',
  name: 'mini',
  seeds: [1, 2],
  stages: {
    data: { file: 'scenes.yaml' },
    tokenizer: { file: 'tokenizer.yaml', from: { 'files.0': 'data/language/train.txt' } },
    train: {
      file: 'language.yaml',
      from: {
        'tokenizer.path': 'tokenizer/tokenizer.json',
        'data.files.0': 'data/language/train.txt',
        'data.validationFiles.0': 'data/language/val.txt',
      },
      set: ['seed={seed}', 'training.steps=2', 'training.evaluateEvery=1', 'training.checkpointEvery=2'],
    },
    small: { extends: 'train' },
    large: { extends: 'train', set: sizes(24) },
    // The same as large.
    twin: { extends: 'large' },
    double: { grow: { by: { factor: 2 }, optimizer: 'keep' } },
    after: { extends: 'large', from: { 'initFrom.checkpoint': 'previous' }, set: ['initFrom.optimizer=keep'] },
  },
  rows: [
    { name: 'small', line: 'scratch', stages: ['small'] },
    { name: 'large', line: 'scratch', stages: ['large'] },
    { name: 'twin', stages: ['twin'] },
    { name: 'grown', stages: ['small', 'double', 'after'] },
  ],
  scores: [
    { name: 'loss', metric: 'validation/loss' },
    { name: 'FLOPs', metric: 'train/flops' },
    { name: 'after growth', stage: 'after', metric: 'validation/loss', take: 'first' },
  ],
  figures: [{ name: 'loss', title: 'Loss by FLOPs', x: 'FLOPs', y: 'loss', logX: true }],
  quick: { seeds: [1], rows: ['small'], set: { train: ['training.steps=1', 'training.checkpointEvery=1'] } },
};

/** Writes the sweep with the files of its stages, and returns its path. */
export function writeMiniSweep(folder: string, changes: object = {}): string {
  return writeExperiment(dirname(writeMiniPipeline(folder)), { ...MINI_SWEEP, ...changes });
}
