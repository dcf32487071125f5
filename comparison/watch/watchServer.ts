import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { RunError } from '#src/errors';
import { systemErrorWords } from '#src/storage';
import { followRuns } from './followedRuns.js';
import { watchPage, watchUpdate } from './watchPage.js';

export interface WatchOptions {
  /** 0: any free one. */
  readonly port: number;
  /** How often the files are looked at; 1000 ms unless given. */
  readonly pollMs?: number;
}

/** A server that shows a run. */
export interface WatchServer {
  readonly url: string;
  close(): Promise<void>;
}

/** More browsers are turned away. */
const MOST_READERS = 32;

/**
 * Serves a page on this machine alone that follows a run, or all runs below a folder: it is sent what has changed, as server-sent
 * events. The files of the runs are only read.
 *
 * @throws RunError when the port is taken
 */
export async function serveWatch(folder: string, { port, pollMs = 1000 }: WatchOptions): Promise<WatchServer> {
  const followed = followRuns(folder);
  followed.poll();
  const readers = new Set<ServerResponse>();
  const message = (): string => `data: ${JSON.stringify(watchUpdate(followed.groups(), followed.problems()))}\n\n`;
  const page = watchPage(folder);
  const server = createServer((request, response) => {
    const refused = refusal(request);
    if (refused !== undefined) return answer(response, ...refused);
    if (request.url === '/') return answer(response, 200, page, 'text/html; charset=utf-8');
    if (request.url !== '/events') return answer(response, 404, 'not here\n');
    if (readers.size >= MOST_READERS) return answer(response, 503, 'too many readers\n');
    response.writeHead(200, { 'content-type': 'text/event-stream', ...HEADERS });
    response.write(message());
    readers.add(response);
    response.on('close', () => readers.delete(response));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new RunError(`cannot serve at port ${port}: ${portFailure(error)}`)));
    server.listen(port, '127.0.0.1', resolve);
  });
  const timer = setInterval(() => {
    if (!followed.poll()) return;
    const text = message();
    // One that does not keep up misses some: each is whole.
    for (const reader of readers) if (!reader.writableNeedDrain) reader.write(text);
  }, pollMs);
  const { port: taken } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${taken}/`,
    close: async () => {
      clearInterval(timer);
      for (const reader of readers) reader.end();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

function answer(response: ServerResponse, status: number, body: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'content-type': type, ...HEADERS }).end(body);
}

/** Why a request is not answered. A page of another name that leads here must not read what this one shows. */
function refusal({ method, headers }: IncomingMessage): [status: number, body: string] | undefined {
  if (method !== 'GET' && method !== 'HEAD') return [405, 'only GET\n'];
  const host = (headers.host ?? '').replace(/:\d+$/, '');
  return host === '127.0.0.1' || host === 'localhost' ? undefined : [403, 'ask for 127.0.0.1\n'];
}

function portFailure(error: NodeJS.ErrnoException): string {
  if (error.code === 'EADDRINUSE') return 'another program listens there; choose another --port, or 0';
  return systemErrorWords(error);
}
