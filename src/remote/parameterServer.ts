import {
  constants,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { isAuthorized, listenError, urlOf } from '#src/access';
import { decodeRequest, encodeAnswer, FrameError, MAX_FRAME_BYTES } from './frame.js';
import type { HeldGroups } from './heldGroups.js';

/** Environment variable with the token, where no file is given; of both sides. */
export const REMOTE_TOKEN_VARIABLE = 'TOKENFUSE_REMOTE_TOKEN';

/** Where the list of groups is, and where sums are asked for. */
export const GROUPS_PATH = '/v1/groups';
export const SUMS_PATH = '/v1/sums';

/** What clients may take up; tests set less. */
export interface ServerLimits {
  /** Of one request. */
  readonly maxFrameBytes: number;
  /** Of all requests and answers at once. */
  readonly maxHeldBytes: number;
  readonly maxConnections: number;
  /** Requests of one connection at once. */
  readonly maxStreams: number;
  /** Time for a request to arrive, and for its answer to be taken. */
  readonly transferMs: number;
  /** After so long without a request a connection is closed. */
  readonly idleMs: number;
}

const LIMITS: ServerLimits = {
  maxFrameBytes: MAX_FRAME_BYTES,
  maxHeldBytes: 4 * MAX_FRAME_BYTES,
  maxConnections: 64,
  maxStreams: 8,
  transferMs: 30_000,
  idleMs: 600_000,
};

export interface ServeOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Asked of every request; undefined: of none. */
  readonly token?: string;
  readonly limits?: Partial<ServerLimits>;
  /** Hears of failures that are no client's fault. */
  readonly onFailure?: (error: unknown) => void;
}

/** What a server did. */
export interface ServerCounts {
  /** Requests for sums that were answered. */
  readonly answered: number;
  /** Requests that were not. */
  readonly refused: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
}

export interface ParameterServer {
  readonly url: string;
  counts(): ServerCounts;
  /** Accepts nothing new, lets requests that have come be answered for so long, and closes. */
  close(graceMs: number): Promise<void>;
}

/** A request that is not answered, and why. */
class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/**
 * Serves sums over groups by HTTP/2. Every request stands for itself, so that a client may repeat any.
 *
 * @throws RunError when the address cannot be had
 */
export async function serveGroups(held: HeldGroups, options: ServeOptions): Promise<ParameterServer> {
  const { host, port, token, onFailure = () => {} } = options;
  const limits = { ...LIMITS, ...options.limits };
  const counts = { answered: 0, refused: 0, bytesReceived: 0, bytesSent: 0 };
  const sessions = new Set<ServerHttp2Session>();
  let heldBytes = 0;

  const groups = [...held.groups].map(([path, identity]) => ({ path, ...identity }));
  const list = Buffer.from(JSON.stringify({ format: 1, maxFrameBytes: limits.maxFrameBytes, groups }));

  const answer = async (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> => {
    const { ':method': method, ':path': path } = headers;
    if (!isAuthorized(headers.authorization, token)) throw new Refusal(401, 'expected the token of this server');
    if (method === 'GET' && path === GROUPS_PATH) {
      stream.respond({ ':status': 200, 'content-type': 'application/json' });
      stream.end(list);
      return;
    }
    if (method !== 'POST' || path !== SUMS_PATH)
      throw new Refusal(404, `expected GET ${GROUPS_PATH} or POST ${SUMS_PATH}`);
    let mine = 0;
    const hold = (bytes: number): void => {
      if (heldBytes + bytes > limits.maxHeldBytes) throw new Refusal(503, 'busy with other requests');
      heldBytes += bytes;
      mine += bytes;
    };
    stream.once('close', () => {
      heldBytes -= mine;
    });
    const body = await bodyOf(stream, Number(headers['content-length'] ?? 0), limits.maxFrameBytes, hold);
    const sums = await held.sums(decodeRequest(body));
    const frame = encodeAnswer(sums);
    if (stream.destroyed) return;
    hold(frame.length);
    counts.answered++;
    counts.bytesReceived += body.length;
    counts.bytesSent += frame.length;
    stream.respond({ ':status': 200, 'content-type': 'application/octet-stream' });
    stream.end(frame);
  };

  // A variable, as Node's types lack noDelay: without it every answer waits for a delayed acknowledgement.
  const settings = {
    noDelay: true,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
    settings: {
      maxConcurrentStreams: limits.maxStreams,
      maxHeaderListSize: 8192,
      initialWindowSize: 1 << 20,
      enablePush: false,
    },
  };
  const server = createServer(settings);
  server.maxConnections = limits.maxConnections;
  server.on('session', (session) => {
    sessions.add(session);
    session.setLocalWindowSize(1 << 24);
    session.setTimeout(limits.idleMs, () => session.destroy());
    session.on('error', () => session.destroy());
    session.once('close', () => sessions.delete(session));
  });
  server.on('sessionError', () => {});
  server.on('stream', (stream, headers) => {
    // A sender or reader that is slow, however steadily, gives up its place.
    const timer = setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), 2 * limits.transferMs);
    stream.once('close', () => clearTimeout(timer));
    stream.on('error', () => {});
    answer(stream, headers).catch((error: unknown) => {
      counts.refused++;
      if (!(error instanceof Refusal || error instanceof FrameError)) onFailure(error);
      if (stream.destroyed || stream.headersSent) return stream.destroy();
      const status = error instanceof Refusal ? error.status : error instanceof FrameError ? 400 : 500;
      const text = status === 500 ? 'the server failed; its own output says why' : (error as Error).message;
      stream.respond({ ':status': status, 'content-type': 'text/plain; charset=utf-8' });
      // What is still to come of the request is not read.
      stream.end(text, () => stream.close(constants.NGHTTP2_NO_ERROR));
    });
  });

  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(host, port, error)));
    server.listen(port, host, resolve);
  });
  server.on('error', onFailure);
  return {
    url: urlOf(server.address() as AddressInfo),
    counts: () => ({ ...counts }),
    close: (graceMs) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => {
          for (const session of sessions) session.destroy();
        }, graceMs);
        server.close(() => {
          clearTimeout(timer);
          resolve();
        });
        for (const session of sessions) session.close();
      }),
  };
}

/** A body that is whole. Memory is taken for what has come, never for what is announced. @throws Refusal */
function bodyOf(
  stream: ServerHttp2Stream,
  announced: number,
  most: number,
  hold: (bytes: number) => void,
): Promise<Buffer> {
  if (announced > most) throw new Refusal(413, `expected at most ${most} bytes, got ${announced}`);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      try {
        if (bytes > most) throw new Refusal(413, `expected at most ${most} bytes, got more`);
        hold(chunk.length);
        chunks.push(chunk);
      } catch (error) {
        stream.removeAllListeners('data');
        stream.pause();
        reject(error);
      }
    });
    stream.once('end', () => resolve(Buffer.concat(chunks)));
    stream.once('close', () => reject(new Refusal(400, 'it was not sent to its end')));
  });
}
