import { z } from 'zod';

/** What every method obeys. Lengths count tokens as the tokenizer makes them; a stop token counts as one. */
const COMMON = {
  maxTokens: z.int().positive().default(48).describe('longest result in tokens'),
  minTokens: z.int().nonnegative().default(0).describe('fewest tokens before a stop token'),
  repetitionPenalty: z
    .number()
    .positive()
    .default(1)
    .describe('θ: above 1, tokens already in the result become less likely'),
  stopTokens: z.array(z.string().min(1)).default([]).describe('extra stop strings, each a single token'),
};

const Greedy = z.strictObject({ method: z.literal('greedy'), ...COMMON }).describe('the most likely token each time');

const Beam = z
  .strictObject({
    method: z.literal('beam'),
    width: z.int().positive().default(5).describe('unfinished results kept at each length'),
    lengthPenalty: z
      .number()
      .nonnegative()
      .default(0)
      .describe('α of the score log p / tokens^α; 0: the likelihood itself'),
    nBest: z.int().positive().default(1).describe('results kept, best first'),
    ...COMMON,
  })
  .describe('beam search: the most likely continuations of each length');

const Sample = z
  .strictObject({
    method: z.literal('sample'),
    temperature: z
      .number()
      .nonnegative()
      .default(1)
      .describe('divides the logits; below 1 sharpens, 0 takes the most likely token each time'),
    topK: z.int().positive().optional().describe('keep only this many of the most likely tokens'),
    topP: z
      .number()
      .positive()
      .max(1)
      .optional()
      .describe('keep the fewest most likely tokens with this probability mass'),
    numSamples: z.int().positive().default(1).describe('results drawn'),
    seed: z.int().default(0).describe('seed of the draws'),
    ...COMMON,
  })
  .describe('draws each token');

/**
 * How text is decoded. An option that has no effect on a method is not a key of it, and so is refused.
 *
 *   greedy   the likeliest token each time
 *   beam     the `width` likeliest beginnings each time, by log p; results by the score log p / tokens^α
 *   sample   a draw from softmax(logits / temperature), cut to topK, then to topP of what is left
 */
export const Decoding = z.discriminatedUnion('method', [Greedy, Beam, Sample]).superRefine((decoding, context) => {
  const { minTokens, maxTokens } = decoding;
  const refuse = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
  if (minTokens > maxTokens) refuse('minTokens', `expected at most maxTokens, ${maxTokens}; got ${minTokens}`);
  if (decoding.method === 'beam' && decoding.nBest > decoding.width) {
    refuse('nBest', `expected at most width, ${decoding.width}; got ${decoding.nBest}`);
  }
});
export type Decoding = z.output<typeof Decoding>;
export type GreedyDecoding = z.output<typeof Greedy>;
export type BeamDecoding = z.output<typeof Beam>;
export type SampleDecoding = z.output<typeof Sample>;

/** An option of decoding. */
export interface DecodingOption {
  readonly description: string;
  readonly type: z.ZodType;
  readonly isList: boolean;
  /** Undefined where there is none. */
  readonly defaultValue: unknown;
}

/** The options that have an effect on each method, by key. */
export const DECODING_OPTIONS_BY_METHOD: Readonly<
  Record<Decoding['method'], Readonly<Record<string, DecodingOption>>>
> = { greedy: optionsOf(Greedy), beam: optionsOf(Beam), sample: optionsOf(Sample) };

function optionsOf({ shape }: { readonly shape: Readonly<Record<string, z.ZodType>> }): Record<string, DecodingOption> {
  const entries = Object.entries(shape).filter(([key]) => key !== 'method');
  return Object.fromEntries(
    entries.map(([key, type]) => {
      const defaultValue = type.parse(undefined);
      return [key, { description: type.description ?? '', type, isList: Array.isArray(defaultValue), defaultValue }];
    }),
  );
}
