import { z } from 'zod';
import { shownText } from '#src/errors';

/**
 * Scores of a study's table. `exact`: captions equal to a reference, in words. `retrieval` of an image, of a caption: recall at 1 by
 * likelihood, that of captions less the blind one. `relation choice` is the model's forced choice, with a star where the first
 * object's side does not tell.
 */
export const STUDY_SCORES = [
  'NLL',
  'CIDEr-D',
  'BLEU-4',
  'exact',
  'retrieval of an image',
  'retrieval of a caption',
  'objects',
  'relation',
  'scene exact',
  'relation choice',
  'relation choice*',
] as const;
export type StudyScore = (typeof STUDY_SCORES)[number];

const stage = (kind: string) => z.string().min(1).describe(`experiment file of kind ${kind}, from this file's folder`);
/** `key=value` words as `--set` takes them. */
const overrides = z.array(z.string().regex(/^[^=]+=/, 'expected key=value')).default([]);

/** One way of joining the backbones, to be compared with the others. */
const StudyRow = z.strictObject({
  name: z.string().min(1).describe('name of the row in tables'),
  vision: z.enum(['trained', 'random']).default('trained').describe('random: the untrained backbone, a control'),
  language: z.enum(['trained', 'random']).default('trained').describe('random: the untrained backbone, a control'),
  merge: overrides.describe('changes to the merge recipe, each key=value as --set takes it'),
  align: z.union([z.literal(false), overrides]).describe('changes to the alignment; false: nothing is trained'),
  pairs: z.array(z.int().positive()).min(1).optional().describe("numbers of training pairs; the study's unless given"),
});
export type StudyRow = z.output<typeof StudyRow>;

/**
 * An experiment file that compares ways of joining two backbones over several seeds. Stage files start at this file's
 * folder, paths inside them at the study's own folder. The data and the tokenizer are made once; a seed draws both
 * backbones, the bridge, and the order of all training data.
 */
export const StudyExperiment = z
  .strictObject({
    kind: z.literal('study'),
    name: z.string().min(1).describe('name of the study, and of its folder under runs/'),
    seeds: z.array(z.int().min(0)).min(1).describe('each seed draws new backbones, bridges and data order'),
    scenes: stage('scenes').optional().describe('experiment file of kind scenes; unless given, the data must exist'),
    tokenizer: stage('tokenizer'),
    vision: stage('vision'),
    language: stage('language'),
    merge: stage('merge'),
    align: stage('align'),
    evaluate: stage('evaluate'),
    pairs: z.array(z.int().positive()).min(1).describe('numbers of training pairs'),
    controlsOf: z
      .string()
      .min(1)
      .describe('name of the row whose controls (blind, shuffled images, constant caption …) the table shows'),
    withoutControls: overrides.describe('changes to the evaluation of the other rows'),
    rows: z.array(StudyRow).min(1).describe('the ways of joining the backbones'),
    scores: z.array(z.enum(STUDY_SCORES)).min(1).describe('columns of the table, for every test set'),
  })
  .superRefine(({ rows, controlsOf }, context) => {
    const names = rows.map(({ name }) => name);
    const slugs = names.map(slug);
    const twice = names.find((_, i) => slugs.indexOf(slugs[i]) !== i);
    if (twice !== undefined) {
      context.addIssue({
        code: 'custom',
        path: ['rows'],
        message: `expected names of their own, got '${twice}' twice`,
      });
    }
    if (!names.includes(controlsOf)) {
      context.addIssue({
        code: 'custom',
        path: ['controlsOf'],
        message: `expected the name of a row (${names.join(', ')}), got '${shownText(controlsOf)}'`,
      });
    }
  });
export type StudyExperiment = z.output<typeof StudyExperiment>;

/** A name as a folder: `train: all` → `train-all`. */
export function slug(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
}
