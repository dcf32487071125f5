import { z } from 'zod';
import type { WorkName } from '../works.js';
import type { FieldsSchema } from './fields.js';
import { REFUSALS, type RefusalCode } from './refusal.js';

/** Captions and prompts are short; what is longer is no caption. */
const MAX_TEXT = 10_000;

const Candidate = {
  logProb: z.number().describe('log p in nats, with the stop token where it has one'),
  numTokens: z.int().nonnegative(),
  ended: z.boolean().describe('false: cut at max-tokens'),
};
const Captioned = {
  caption: z.string().describe('the first of the candidates'),
  candidates: z.array(z.strictObject({ caption: z.string(), ...Candidate })).min(1),
};
const ErrorDetail = z.strictObject({
  code: z.enum(Object.keys(REFUSALS) as [RefusalCode, ...RefusalCode[]]),
  message: z.string().describe('one line'),
});

/** The body of every refusal. */
export const ErrorAnswer = z.strictObject({ error: ErrorDetail });

export const CaptionAnswer = z.strictObject(Captioned);
export const CaptionsAnswer = z.strictObject({
  results: z
    .array(
      z.union([
        z.strictObject({ name: z.string().nullable(), ...Captioned }),
        z.strictObject({ name: z.string().nullable(), error: ErrorDetail }),
      ]),
    )
    .describe('one for each picture, in their order'),
});
export const ScoreAnswer = z.strictObject({
  scores: z
    .array(
      z.strictObject({
        caption: z.string(),
        logProb: z.number().describe('log p(caption | picture) in nats, the end of the text included'),
        numTokens: z.int().positive().describe('predicted tokens, the end included'),
        captionNll: z.number().describe('-logProb / numTokens, as tokenfuse evaluate has it'),
        words: z.array(z.strictObject({ word: z.string(), logProb: z.number() })),
        endLogProb: z.number().describe('of the end of the text'),
      }),
    )
    .describe('one for each caption, in their order'),
});
export const EmbeddingAnswer = z.strictObject({ width: z.int().positive(), embedding: z.array(z.number()) });
export const GenerateAnswer = z.strictObject({
  text: z.string().describe('the first of the candidates, without the prompt'),
  candidates: z.array(z.strictObject({ text: z.string(), ...Candidate })).min(1),
});
export const ModelAnswer = z.strictObject({
  model: z.string(),
  kind: z.enum(['vision', 'language', 'fusion']),
  parameters: z.int(),
  works: z.array(z.enum(['caption', 'score', 'embed', 'generate'])),
  engine: z.string(),
  version: z.string(),
  limits: z.record(z.string(), z.number()),
});
export const HealthAnswer = z.strictObject({ status: z.enum(['ok', 'closing', 'failing']) });

/** A route: what is checked, served and described. */
export interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly summary: string;
  /** What the model must be able to do. */
  readonly work?: WorkName;
  /** One picture as the body or in a form, several in a form, or JSON alone. */
  readonly takes: 'nothing' | 'picture' | 'pictures' | 'json';
  /** Fields of its own. */
  readonly fields: FieldsSchema;
  /** Whether it takes the options of decoding too. */
  readonly decodes: boolean;
  /** Undefined: not JSON. */
  readonly answer: z.ZodType | undefined;
  /** Health must not depend on a token, nor on how often one asks. */
  readonly isOpen: boolean;
}

const NONE = z.strictObject({});
const ImageId = z
  .int()
  .nonnegative()
  .default(1)
  .describe('names the random draws of a picture: its place among the images of tokenfuse caption');

const plain = { work: undefined, takes: 'nothing', fields: NONE, decodes: false, isOpen: false } as const;
const work = { method: 'POST', fields: NONE, decodes: false, isOpen: false } as const;

/** All routes but those of the site. */
export const ROUTES = {
  caption: {
    ...work,
    path: '/v1/caption',
    summary: 'Caption of a picture',
    work: 'caption',
    takes: 'picture',
    fields: z.strictObject({ 'image-id': ImageId }),
    decodes: true,
    answer: CaptionAnswer,
  },
  captions: {
    ...work,
    path: '/v1/captions',
    summary: 'Captions of several pictures; one that cannot be read has an error in the place of its caption',
    work: 'caption',
    takes: 'pictures',
    fields: z.strictObject({ 'image-id': ImageId.describe('of the first picture; the others count on from it') }),
    decodes: true,
    answer: CaptionsAnswer,
  },
  score: {
    ...work,
    path: '/v1/score',
    summary: 'How likely given captions of a picture are, word by word',
    work: 'score',
    takes: 'picture',
    fields: z.strictObject({
      caption: z.array(z.string().min(1).max(MAX_TEXT)).min(1).max(16).describe('may be given again'),
    }),
    answer: ScoreAnswer,
  },
  embed: {
    ...work,
    path: '/v1/embed',
    summary: 'Embedding of a picture: its pooled final vision states',
    work: 'embed',
    takes: 'picture',
    answer: EmbeddingAnswer,
  },
  generate: {
    ...work,
    path: '/v1/generate',
    summary: 'Continuation of a text, without a picture',
    work: 'generate',
    takes: 'json',
    fields: z.strictObject({ prompt: z.string().max(MAX_TEXT).default('') }),
    decodes: true,
    answer: GenerateAnswer,
  },
  model: { ...plain, method: 'GET', path: '/v1/model', summary: 'What is served, and its limits', answer: ModelAnswer },
  live: {
    ...{ ...plain, method: 'GET', path: '/health/live', isOpen: true },
    summary: 'Whether the server works; 503 when its engine failed three times in a row',
    answer: HealthAnswer,
  },
  ready: {
    ...{ ...plain, method: 'GET', path: '/health/ready', isOpen: true },
    summary: 'Whether it takes requests; 503 while it shuts down',
    answer: HealthAnswer,
  },
  metrics: {
    ...{ ...plain, method: 'GET', path: '/metrics' },
    summary: 'Metrics in the text format of Prometheus',
    answer: undefined,
  },
  openapi: {
    ...{ ...plain, method: 'GET', path: '/openapi.json' },
    summary: 'This description',
    answer: z.looseObject({ openapi: z.literal('3.1.0') }),
  },
} as const satisfies Readonly<Record<string, Route>>;
export type RouteName = keyof typeof ROUTES;
