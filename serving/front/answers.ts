import type { z } from 'zod';
import type { ServedDescription, ServeSettings } from '../settings.js';
import type { Works } from '../works.js';
import type { Batcher } from './batcher.js';
import { readDecoding, readFields } from './fields.js';
import type { PictureDecoder } from './pictureDecoder.js';
import { Refusal } from './refusal.js';
import type { RequestInput } from './requestInput.js';
import {
  type CaptionAnswer,
  type CaptionsAnswer,
  type EmbeddingAnswer,
  type GenerateAnswer,
  type ModelAnswer,
  ROUTES,
  type RouteName,
  type ScoreAnswer,
} from './routes.js';

/** What requests are answered with. */
export interface AnswerParts {
  readonly batcher: Batcher;
  readonly decoder: PictureDecoder;
  readonly description: ServedDescription;
  readonly settings: ServeSettings;
}

/** Makes the answer to a request whose body has come. @throws Refusal */
export type Answer = (input: RequestInput, signal: AbortSignal) => Promise<unknown>;

/** The routes for which the model works, and its description. */
export type AnsweredRoute = Exclude<RouteName, 'live' | 'ready' | 'metrics' | 'openapi'>;

export function createAnswers({ batcher, decoder, description, settings }: AnswerParts): Record<AnsweredRoute, Answer> {
  /** Takes places in the queue, gives them back when the work is over, and lets no other picture be decoded meanwhile. */
  const admitted = async <Result>(items: number, work: () => Promise<Result>): Promise<Result> => {
    const release = batcher.admit(items);
    try {
      return await work();
    } finally {
      release();
    }
  };
  const onPicture = <Result>(
    { pictures }: RequestInput,
    work: (pixels: Uint8Array) => Promise<Result>,
  ): Promise<Result> => {
    if (pictures.length !== 1) throw new Refusal('invalid_field', `expected one picture, got ${pictures.length}`);
    return admitted(1, async () => work(await decoder.decode(pictures[0].bytes)));
  };

  return {
    caption: async (input, signal): Promise<z.output<typeof CaptionAnswer>> => {
      const { 'image-id': imageId } = readFields(ROUTES.caption.fields, input.texts);
      const decoding = readDecoding(input.texts);
      return captioned(
        await onPicture(input, (pixels) => batcher.submit('caption', decoding, { pixels, imageId }, signal)),
      );
    },
    captions: async (input, signal): Promise<z.output<typeof CaptionsAnswer>> => {
      const { 'image-id': first } = readFields(ROUTES.captions.fields, input.texts);
      const decoding = readDecoding(input.texts);
      const { pictures } = input;
      if (pictures.length === 0) throw new Refusal('invalid_field', "expected pictures in the field 'image', got none");
      const results = await admitted(pictures.length, () =>
        Promise.allSettled(
          pictures.map(async ({ bytes }, i) => {
            const pixels = await decoder.decode(bytes);
            return await batcher.submit('caption', decoding, { pixels, imageId: first + i }, signal);
          }),
        ),
      );
      return {
        results: results.map((result, i) => {
          const { name } = pictures[i];
          if (result.status === 'fulfilled') return { name, ...captioned(result.value) };
          const { reason } = result;
          if (!(reason instanceof Refusal && reason.code === 'invalid_picture')) throw reason;
          return { name, error: { code: reason.code, message: reason.message } };
        }),
      };
    },
    score: async (input, signal): Promise<z.output<typeof ScoreAnswer>> => {
      const { caption: captions } = readFields(ROUTES.score.fields, input.texts);
      const scores = await onPicture(input, (pixels) => batcher.submit('score', null, { pixels, captions }, signal));
      return {
        scores: scores.map((score) => ({
          ...score,
          words: [...score.words],
          captionNll: -score.logProb / score.numTokens,
        })),
      };
    },
    embed: async (input, signal): Promise<z.output<typeof EmbeddingAnswer>> => {
      const vector = await onPicture(input, (pixels) => batcher.submit('embed', null, { pixels }, signal));
      return { width: vector.length, embedding: Array.from(vector) };
    },
    generate: async ({ texts }, signal): Promise<z.output<typeof GenerateAnswer>> => {
      const { prompt } = readFields(ROUTES.generate.fields, texts);
      const decoding = readDecoding(texts);
      const candidates = await admitted(1, () => batcher.submit('generate', decoding, { prompt }, signal));
      return { text: candidates[0].text, candidates: [...candidates] };
    },
    model: async (): Promise<z.output<typeof ModelAnswer>> => {
      const { name, kind, parameters, works, engine, version } = description;
      const { maxBodyBytes, maxPictures, maxImagePixels, maxQueue, batchSize, rate, timeoutMs } = settings;
      const limits = { maxBodyBytes, maxPictures, maxImagePixels, maxQueue, batchSize, rate, timeoutMs };
      return { model: name, kind, parameters, works: [...works], engine, version, limits };
    },
  };
}

function captioned(candidates: Works['caption']['result']): z.output<typeof CaptionAnswer> {
  return { caption: candidates[0].caption, candidates: [...candidates] };
}
