import type { FastifyInstance } from 'fastify';
import { Refusal } from './refusal.js';
import type { Site } from './site.js';

/** The pattern of the paths of a site: all that no other route has. */
export const SITE_PATTERN = '/*';

/** Serves the files of a site. */
export function addSiteRoute(server: FastifyInstance, site: Site): void {
  server.get(SITE_PATTERN, async (request, reply) => {
    const { '*': path } = request.params as { '*': string };
    const file = await site.open(`/${path}`);
    if (file === undefined) throw new Refusal('not_found', 'expected a file of the site, or a path of /openapi.json');
    reply.header('cache-control', 'no-cache').header('etag', file.tag);
    if (request.headers['if-none-match'] === file.tag) {
      await file.close();
      return reply.code(304).send();
    }
    reply.type(file.type).header('content-length', file.bytes);
    if (request.method === 'GET' && file.bytes > 0) return reply.send(file.stream());
    await file.close();
    return reply.send();
  });
}
