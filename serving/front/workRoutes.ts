import type { IncomingMessage } from 'node:http';
import multipart from '@fastify/multipart';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ServedDescription, ServeSettings } from '../settings.js';
import type { Answer, AnsweredRoute } from './answers.js';
import type { Calls } from './calls.js';
import { DECODING_FIELDS, refuseOthers } from './fields.js';
import { JSON_TYPE, Refusal } from './refusal.js';
import { jsonTexts, queryTexts, type RequestInput, readForm, readWhole } from './requestInput.js';
import { ROUTES, type Route } from './routes.js';

const MAX_JSON_BYTES = 64 * 1024;

export interface WorkRoutesParts {
  readonly answers: Readonly<Record<AnsweredRoute, Answer>>;
  readonly calls: Calls;
  readonly description: ServedDescription;
  readonly settings: Pick<ServeSettings, 'timeoutMs' | 'maxPictures'>;
}

/** Adds the routes whose answers are made of what they are sent. */
export async function addWorkRoutes(server: FastifyInstance, parts: WorkRoutesParts): Promise<void> {
  const { answers, calls, description, settings } = parts;
  const { timeoutMs, maxPictures } = settings;

  const answer = async (
    name: AnsweredRoute,
    request: FastifyRequest,
    reply: FastifyReply,
    input: RequestInput,
  ): Promise<FastifyReply> => {
    const { fields, decodes, work }: Route = ROUTES[name];
    const call = calls.of(request);
    const { signal } = call.abort;
    call.pictures = input.pictures.length;
    if (work && !description.works.includes(work)) {
      const { kind, works } = description;
      throw new Refusal('not_supported', `a ${kind} model cannot ${work}; it can ${works.join(', ')}`);
    }
    refuseOthers(input.texts, [...Object.keys(fields.shape), ...(decodes ? Object.keys(DECODING_FIELDS) : [])]);
    const timer = setTimeout(
      () => call.abort.abort(new Refusal('timed_out', `expected an answer within ${timeoutMs / 1000} s, got none`)),
      timeoutMs,
    );
    try {
      const made = answers[name](input, signal);
      call.work = made;
      return sendJson(reply, await unlessAborted(made, signal));
    } finally {
      clearTimeout(timer);
    }
  };

  /** One picture as the body or in a form, or several in a form. */
  const pictureInput = (request: FastifyRequest, takes: Route['takes']): Promise<RequestInput> | RequestInput => {
    const { held, abort } = calls.of(request);
    const { body } = request;
    if (request.isMultipart()) {
      return unlessAborted(readForm(request, held, takes === 'picture' ? 1 : maxPictures), abort.signal);
    }
    if (Buffer.isBuffer(body) && takes === 'picture') {
      // `readWhole` gave it memory of its own.
      return { texts: queryTexts(request), pictures: [{ name: null, bytes: body as Buffer<ArrayBuffer> }] };
    }
    const expected = takes === 'picture' ? 'a picture or multipart/form-data' : 'multipart/form-data';
    throw new Refusal('unsupported_media_type', `expected ${expected} as the body`);
  };

  await server.register(async (scope) => {
    await scope.register(multipart);
    scope.addContentTypeParser(
      /^(image\/|application\/octet-stream)/,
      async (request: FastifyRequest, body: IncomingMessage) => readWhole(body, calls.of(request).held),
    );
    for (const name of ['caption', 'captions', 'score', 'embed'] as const) {
      const { path, takes } = ROUTES[name];
      scope.post(path, async (request, reply) => answer(name, request, reply, await pictureInput(request, takes)));
    }
  });
  await server.register(async (scope) => {
    const parse = scope.getDefaultJsonParser('error', 'error');
    scope.addContentTypeParser('application/json', { parseAs: 'string', bodyLimit: MAX_JSON_BYTES }, parse);
    scope.post(ROUTES.generate.path, async (request, reply) =>
      answer('generate', request, reply, { texts: jsonTexts(request.body), pictures: [] }),
    );
  });
  server.get(ROUTES.model.path, async (request, reply) =>
    answer('model', request, reply, { texts: queryTexts(request), pictures: [] }),
  );
}

/** Answers with a line of JSON. */
export function sendJson(reply: FastifyReply, value: unknown, status = 200): FastifyReply {
  return reply
    .code(status)
    .type(JSON_TYPE)
    .send(`${JSON.stringify(value)}\n`);
}

/** Gives a promise up when the signal comes. */
function unlessAborted<Result>(promise: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(signal.reason);
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp, { once: true });
    // After a rejection this changes nothing, and a later failure counts as handled.
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp));
  });
}
