/** @file The thread that talks to a server: it goes on while the main thread computes, and while that waits for an answer. */
import { type ClientHttp2Session, connect } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';
import { authorization } from '#src/access';
import { backOff, type ExchangeData, type ExchangeReply, type ExchangeRequest } from './exchangeData.js';
import { MAX_FRAME_BYTES } from './frame.js';

const { url, token, timeoutMs, retries, port, replies } = workerData as ExchangeData;

/** Statuses after which the same request may well be answered: busy, a gateway's. */
const PASSING = new Set([502, 503, 504]);

let session: ClientHttp2Session | undefined;
let socket: Socket | undefined;
/** Bytes of the connections that are closed. */
let [sentBefore, receivedBefore, repeated] = [0, 0, 0];

function countSocket(): void {
  sentBefore += socket?.bytesWritten ?? 0;
  receivedBefore += socket?.bytesRead ?? 0;
  socket = undefined;
}

function openSession(): ClientHttp2Session {
  if (session !== undefined && !session.closed && !session.destroyed) return session;
  const opened = connect(url, {
    createConnection: ({ hostname, port: given }) => {
      countSocket();
      socket = connectTcp({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(given || 80), noDelay: true });
      return socket;
    },
    settings: { initialWindowSize: 1 << 24, enablePush: false },
  });
  opened.once('connect', () => opened.setLocalWindowSize(1 << 26));
  opened.on('error', () => {}); // every stream fails with it
  session = opened;
  return opened;
}

/** Leaves a connection that failed or hangs. */
function leaveSession(left: ClientHttp2Session): void {
  left.destroy();
  if (session === left) session = undefined;
}

type Outcome =
  | { readonly status: number; readonly body: Uint8Array }
  | { readonly failure: string; readonly status?: undefined };

function attempt({ method, path, body }: ExchangeRequest): Promise<Outcome> {
  return new Promise((resolve) => {
    const used = openSession();
    let settled = false;
    const settle = (outcome: Outcome): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      if (outcome.status === undefined) leaveSession(used);
      resolve(outcome);
    };
    const timer = setTimeout(() => settle({ failure: `no answer within ${timeoutMs / 1000} s` }), timeoutMs);
    const stream = used.request({
      ':method': method,
      ':path': path,
      ...(token !== undefined && { authorization: authorization(token) }),
      ...(body && { 'content-length': body.length }),
    });
    const chunks: Buffer[] = [];
    let [status, bytes] = [0, 0];
    stream.once('response', (headers) => {
      status = Number(headers[':status']);
    });
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= MAX_FRAME_BYTES) chunks.push(chunk);
      else settle({ failure: `an answer of more than ${MAX_FRAME_BYTES} bytes` });
    });
    stream.once('end', () => {
      if (status > 0) settle({ status, body: Uint8Array.from(Buffer.concat(chunks)) });
    });
    stream.on('error', (error) => settle({ failure: wordsOf(error) }));
    stream.once('close', () => settle({ failure: 'the connection was closed' }));
    stream.end(body);
  });
}

function wordsOf(error: Error): string {
  // A stream that is cancelled with its connection names the reason as its cause.
  const { code, message } = (error.cause ?? error) as NodeJS.ErrnoException;
  const words: Record<string, string> = {
    ECONNREFUSED: 'nothing listens there',
    ECONNRESET: 'the connection was closed',
    EHOSTUNREACH: 'the machine cannot be reached',
    ENETUNREACH: 'the machine cannot be reached',
    ENOTFOUND: 'there is no machine of that name',
    EAI_AGAIN: 'the name of the machine cannot be looked up',
    ETIMEDOUT: 'it does not answer',
    ERR_HTTP2_ERROR: 'what answers is no HTTP/2 server',
  };
  return words[code ?? ''] ?? message;
}

/** The same request until it is answered: the server keeps nothing between two, so that one may be repeated. */
async function exchange(request: ExchangeRequest): Promise<void> {
  let outcome: Outcome = { failure: '' };
  for (let tried = 0; tried <= retries; tried++) {
    if (tried > 0) {
      repeated++;
      await sleep(backOff(tried - 1) * (1 + Math.random() / 2));
    }
    try {
      outcome = await attempt(request);
    } catch (error) {
      outcome = { failure: wordsOf(error as Error) };
    }
    if (outcome.status !== undefined && !PASSING.has(outcome.status)) break;
  }
  const counts = {
    id: request.id,
    bytesSent: sentBefore + (socket?.bytesWritten ?? 0),
    bytesReceived: receivedBefore + (socket?.bytesRead ?? 0),
    retries: repeated,
  };
  if (outcome.status === undefined) reply({ ...counts, kind: 'failed', message: outcome.failure });
  else if (outcome.status === 200) reply({ ...counts, kind: 'answer', body: outcome.body });
  else {
    const { status, body } = outcome;
    const message = Buffer.from(body.subarray(0, 1000)).toString('utf8');
    reply(
      PASSING.has(status) ? { ...counts, kind: 'failed', message } : { ...counts, kind: 'refused', status, message },
    );
  }
}

function reply(message: ExchangeReply): void {
  port.postMessage(message, message.kind === 'answer' ? [message.body.buffer as ArrayBuffer] : []);
  Atomics.add(replies, 0, 1);
  Atomics.notify(replies, 0);
}

port.on('message', (request: ExchangeRequest) => void exchange(request));
