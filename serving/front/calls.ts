import { setMaxListeners } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ServeCounts } from '../messages.js';
import type { HeldBytes, HeldShare } from './heldBytes.js';
import { REFUSALS, type RefusalCode } from './refusal.js';

/** A request from its headers to the end of its answer. */
export interface Call {
  readonly route: string;
  readonly started: number;
  readonly held: HeldShare;
  /** Aborted when its time is over, or its client gone. */
  readonly abort: AbortController;
  /** Its work, which may outlast it. */
  work: Promise<unknown>;
  code: RefusalCode | 'ok' | 'client_gone';
  /** Why the server broke it off. */
  brokenBy?: RefusalCode;
  pictures: number;
}

export interface CallsOptions {
  readonly held: HeldBytes;
  /** Hears of each call at its end. */
  readonly onEnd: (route: string, status: number, code: string, seconds: number) => void;
  /** Takes a line for each call, with nothing of its content. */
  readonly log: (line: string) => void;
}

/** The requests that are under way. */
export interface Calls {
  open(request: FastifyRequest, reply: FastifyReply): Call;
  of(request: FastifyRequest): Call;
  /** Counts what came on a connection and is refused before it is a request, or before it has come to its end. */
  refuse(socket: Socket, code: RefusalCode): void;
  counts(): ServeCounts;
  /** Resolves when none is under way. */
  allEnded(): Promise<void>;
}

export function createCalls({ held, onEnd, log }: CallsOptions): Calls {
  const calls = new WeakMap<IncomingMessage, Call>();
  const ofSocket = new WeakMap<Socket, Call>();
  let numOpen = 0;
  let onIdle: () => void = () => {};
  const counts = { answered: 0, refused: 0 };
  const end = (
    { route, code, pictures, started }: Omit<Call, 'held' | 'abort' | 'work'>,
    status: number,
    fields: object,
  ) => {
    const seconds = (performance.now() - started) / 1000;
    counts[code === 'ok' ? 'answered' : 'refused']++;
    onEnd(route, status, code, seconds);
    const time = new Date().toISOString();
    log(JSON.stringify({ time, route, status, code, seconds: Number(seconds.toFixed(4)), pictures, ...fields }));
  };
  return {
    open: ({ raw, routeOptions, ip: client, method }, { raw: answer }) => {
      const call: Call = {
        ...{ route: routeOptions.url ?? 'none', started: performance.now(), held: held.open() },
        ...{ abort: new AbortController(), work: Promise.resolve(), code: 'ok', pictures: 0 },
      };
      // Each picture of a request hears of it.
      setMaxListeners(0, call.abort.signal);
      calls.set(raw, call);
      numOpen++;
      ofSocket.set(raw.socket, call);
      answer.once('close', () => {
        const isWhole = answer.writableFinished;
        if (!isWhole) call.code = call.brokenBy ?? 'client_gone';
        if (!isWhole) call.abort.abort(new Error('the client is gone'));
        if (ofSocket.get(raw.socket) === call) ofSocket.delete(raw.socket);
        end(call, isWhole ? answer.statusCode : 0, { client, method });
        if (--numOpen === 0) onIdle();
        void call.work.catch(() => undefined).finally(call.held.release);
      });
      return call;
    },
    of: ({ raw }) => calls.get(raw) as Call,
    refuse: (socket, code) => {
      const call = ofSocket.get(socket);
      if (call) call.brokenBy = code;
      else {
        const none = { route: 'none', pictures: 0, started: performance.now() };
        end({ ...none, code }, REFUSALS[code], { client: socket.remoteAddress });
      }
    },
    counts: () => ({ ...counts }),
    allEnded: () =>
      new Promise((resolve) => {
        if (numOpen === 0) resolve();
        else onIdle = resolve;
      }),
  };
}
