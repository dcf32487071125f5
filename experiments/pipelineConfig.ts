import { z } from 'zod';

/** An experiment file that trains a byte-level BPE on text files; paths start at the working root. */
export const TokenizerExperiment = z.strictObject({
  kind: z.literal('tokenizer'),
  name: z.string().min(1),
  files: z.array(z.string().min(1)).min(1),
  vocabSize: z.int().min(257),
  minFrequency: z.int().positive().default(2),
  field: z.string().min(1).optional().describe('the field of JSONL lines with the text; text unless given'),
});
export type TokenizerExperiment = z.output<typeof TokenizerExperiment>;

/** What a finished pipeline must reach; the report says for each whether it did. */
const Expectations = z.strictObject({
  /** Lowest object accuracy of the model by test set. */
  objectAccuracy: z.record(z.string(), z.number().min(0).max(1)).default({}),
  /** Lowest share of the caption NLL between blind and `train: all` that the bridge closes; needs the upper bound. */
  gapClosed: z.number().optional(),
  /** With shuffled images object accuracy may exceed the blind one by at most this. */
  shuffledAboveBlind: z.number().min(0).max(1).optional(),
});

/** An experiment file that runs all stages; stage paths start at this file's folder, all others at the run's folder. */
export const PipelineExperiment = z.strictObject({
  kind: z.literal('pipeline'),
  name: z.string().min(1),
  scenes: z.string().min(1).optional().describe('absent: the files name data that are there already'),
  tokenizer: z.string().min(1).optional().describe('absent: the language backbone has a tiktoken encoding'),
  vision: z.string().min(1),
  language: z.string().min(1),
  merge: z.string().min(1),
  align: z.string().min(1),
  evaluate: z.string().min(1),
  /** Changes to the alignment for the copy that `--upper-bound` trains, `key=value` as `--set` takes them. */
  upperBound: z.array(z.string().regex(/^[^=]+=/, 'expected key=value')).default([]),
  expect: Expectations.prefault({}),
});
export type PipelineExperiment = z.output<typeof PipelineExperiment>;
