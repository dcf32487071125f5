import { z } from 'zod';
import { CaptionSource } from '#captions/formats';

/** An experiment file that trains a byte-level BPE on text files; paths start at the working root. */
export const TokenizerExperiment = z.strictObject({
  kind: z.literal('tokenizer'),
  name: z.string().min(1).describe('name of the folder under --root that tokenizer.json is written to'),
  files: z
    .array(CaptionSource)
    .min(1)
    .describe('what to learn from: text files, JSONL files, and captions by their format, { format: coco, path: … }'),
  vocabSize: z.int().min(257).describe('tokens wanted: 256 bytes, the merges and <|endoftext|>'),
  minFrequency: z.int().positive().default(2).describe('how often a pair of tokens must occur to be merged'),
  field: z.string().min(1).optional().describe("field of a JSONL line that holds the text; 'text' unless given"),
});
export type TokenizerExperiment = z.output<typeof TokenizerExperiment>;

/** What a finished pipeline must reach; the report says for each whether it did. */
const Expectations = z.strictObject({
  objectAccuracy: z
    .record(z.string(), z.number().min(0).max(1))
    .default({})
    .describe('lowest object accuracy of the model, by name of the test set'),
  gapClosed: z
    .number()
    .optional()
    .describe(
      'lowest share of the caption NLL between blind and train: all that the bridge closes; needs --upper-bound',
    ),
  shuffledAboveBlind: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe('by how much object accuracy with shuffled images may exceed the blind one'),
});

const stage = (kind: string) => z.string().min(1).describe(`experiment file of kind ${kind}, from this file's folder`);

/** An experiment file that runs all stages; stage paths start at this file's folder, all others at the run's folder. */
export const PipelineExperiment = z.strictObject({
  kind: z.literal('pipeline'),
  name: z.string().min(1).describe('name of the run; unless --out says otherwise, its folder is runs/<name>'),
  scenes: stage('scenes').optional(),
  tokenizer: stage('tokenizer').optional(),
  vision: stage('vision'),
  language: stage('language'),
  merge: stage('merge'),
  align: stage('align'),
  evaluate: stage('evaluate'),
  page: z
    .boolean()
    .optional()
    .describe('whether tokenfuse export web makes a page of the aligned model, with examples of the first test set'),
  upperBound: z
    .array(z.string().regex(/^[^=]+=/, 'expected key=value'))
    .default([])
    .describe('changes to the alignment that --upper-bound trains, each key=value as --set takes it'),
  expect: Expectations.prefault({}).describe('what the result must reach; the run fails otherwise'),
});
export type PipelineExperiment = z.output<typeof PipelineExperiment>;
