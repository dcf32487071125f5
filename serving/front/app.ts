import rateLimit from '@fastify/rate-limit';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { ServeCounts } from '../messages.js';
import type { ServedDescription, ServeSettings } from '../settings.js';
import { createAnswers } from './answers.js';
import { createBatcher, type Engine } from './batcher.js';
import { refuseBroken } from './brokenRequest.js';
import { refuseForeignPages, refuseStrangers } from './callers.js';
import { createCalls } from './calls.js';
import { createHeldBytes } from './heldBytes.js';
import { openApiOf } from './openapi.js';
import type { PictureDecoder } from './pictureDecoder.js';
import { JSON_TYPE, REFUSALS, Refusal, refusalBody, refusalOf } from './refusal.js';
import { ROUTES, type Route } from './routes.js';
import { createServeMetrics } from './serveMetrics.js';
import type { Site } from './site.js';
import { addSiteRoute, SITE_PATTERN } from './siteRoute.js';
import { addWorkRoutes, sendJson } from './workRoutes.js';

export interface AppOptions {
  readonly settings: ServeSettings;
  readonly description: ServedDescription;
  readonly engine: Engine;
  /** Batches that failed since one did not. */
  readonly failuresInARow: () => number;
  readonly decoder: PictureDecoder;
  readonly site: Site | undefined;
  /** Takes a line for each request, with nothing of its content. */
  readonly log: (line: string) => void;
}

/** The service, before and while it listens. */
export interface App {
  readonly server: FastifyInstance;
  counts(): ServeCounts;
  /** Takes no more requests, lets those that have come be answered for so long, and closes. */
  close(graceMs: number): Promise<void>;
}

/** Failures after which the engine is held for broken. */
const FAILURES = 3;

/** For the headers of a request to arrive. */
const HEADERS_MS = 10_000;

export async function createApp(options: AppOptions): Promise<App> {
  const { settings, description, engine, failuresInARow, decoder, site, log } = options;
  const { timeoutMs, token, rate, batchSize, batchWaitMs, maxQueue } = settings;
  const held = createHeldBytes(settings.maxBodyBytes, settings.maxHeldBytes);
  let connections = 0;
  let isClosing = false;
  const batcher = createBatcher({
    ...{ engine, batchSize, batchWaitMs, maxQueue },
    onBatch: (batch, seconds, answer) => metrics.batch(batch, seconds, answer),
  });
  const metrics = createServeMetrics(description, {
    queue: () => batcher.length,
    heldBytes: () => held.total,
    connections: () => connections,
  });
  const calls = createCalls({ held, log, onEnd: metrics.request });

  const refuse = (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const call = calls.of(request);
    const known = refusalOf(error);
    if (known === undefined && !request.raw.destroyed) {
      log(JSON.stringify({ level: 'error', route: call.route, error: String((error as Error).stack ?? error) }));
    }
    const { code, message, retryAfter } = known ?? new Refusal('failed', 'the server failed; its own output says why');
    call.code = code;
    // What is still to come of a body is passed over, until its time is over.
    request.raw.unpipe();
    request.raw.resume();
    if (retryAfter !== undefined) reply.header('retry-after', retryAfter);
    if (code === 'unauthorized') reply.header('www-authenticate', 'Bearer');
    return reply.code(REFUSALS[code]).type(JSON_TYPE).send(refusalBody(code, message));
  };

  const server = fastify({
    logger: false,
    requestTimeout: timeoutMs,
    // Without a byte in either direction: longer than a request and its answer may take.
    connectionTimeout: 2 * timeoutMs + 5000,
    keepAliveTimeout: 5000,
    http: {
      headersTimeout: Math.min(HEADERS_MS, timeoutMs),
      connectionsCheckingInterval: Math.min(1000, timeoutMs / 4),
      maxHeaderSize: 8192,
      noDelay: true,
    },
    return503OnClosing: false,
    frameworkErrors: (error, request, reply) => {
      calls.open(request, reply);
      refuse(error, request, reply);
    },
    clientErrorHandler: (error, socket) => refuseBroken(error, socket, (code) => calls.refuse(socket, code)),
  });
  server.server.maxConnections = settings.maxConnections;
  server.server.on('connection', (socket) => {
    connections++;
    socket.once('close', () => connections--);
  });

  server.addHook('onRequest', async (request, reply) => {
    calls.open(request, reply);
    const isOpen = routeOf(request)?.isOpen ?? false;
    if (isClosing && !isOpen) throw new Refusal('shutting_down', 'the server shuts down; try another');
    refuseForeignPages(request.headers, settings);
    // A browser cannot show a token before there is a page.
    if (!isOpen && request.routeOptions.url !== SITE_PATTERN) refuseStrangers(request.headers, token);
  });
  server.addHook('onSend', async (_request, reply) => {
    if (isClosing) reply.header('connection', 'close');
    reply.header('x-content-type-options', 'nosniff');
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store');
  });
  server.setErrorHandler(refuse);
  if (rate > 0) {
    await server.register(rateLimit, {
      ...{ max: rate, timeWindow: 1000, cache: 10_000 },
      errorResponseBuilder: () =>
        new Refusal('too_many_requests', `expected at most ${rate} requests a second from one address, got more`),
    });
  }
  server.setNotFoundHandler(rate > 0 ? { preHandler: server.rateLimit() } : {}, async (request, reply) => {
    const path = request.raw.url?.split('?')[0];
    const route = Object.values<Route>(ROUTES).find((candidate) => candidate.path === path);
    if (route === undefined) throw new Refusal('not_found', 'expected a path of /openapi.json');
    reply.header('allow', route.method);
    throw new Refusal('method_not_allowed', `expected ${route.method} ${route.path}`);
  });

  server.removeAllContentTypeParsers();
  const answers = createAnswers({ batcher, decoder, description, settings });
  await addWorkRoutes(server, { answers, calls, description, settings });
  const unlimited = { config: { rateLimit: false } };
  server.get(ROUTES.live.path, unlimited, async (_request, reply) => {
    const status = failuresInARow() >= FAILURES ? 'failing' : 'ok';
    return sendJson(reply, { status }, status === 'ok' ? 200 : 503);
  });
  server.get(ROUTES.ready.path, unlimited, async (_request, reply) => {
    const status = isClosing ? 'closing' : failuresInARow() >= FAILURES ? 'failing' : 'ok';
    return sendJson(reply, { status }, status === 'ok' ? 200 : 503);
  });
  server.get(ROUTES.metrics.path, async (_request, reply) =>
    reply.type('text/plain; version=0.0.4; charset=utf-8').send(metrics.text()),
  );
  server.get(ROUTES.openapi.path, async (_request, reply) => sendJson(reply, openApiOf(description, settings)));
  if (site) addSiteRoute(server, site);
  await server.ready();

  return {
    server,
    counts: () => calls.counts(),
    close: async (graceMs) => {
      isClosing = true;
      const timer = setTimeout(() => server.server.closeAllConnections(), graceMs);
      await server.close();
      clearTimeout(timer);
      // The last answers hear of their end after the server does.
      await calls.allEnded();
      metrics.close();
    },
  };
}

/** The route that a request goes to; undefined for those that are none, and the site. */
function routeOf({ routeOptions: { url } }: FastifyRequest): Route | undefined {
  return Object.values<Route>(ROUTES).find(({ path }) => path === url);
}
