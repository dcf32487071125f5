import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { interruption } from '#src/cli';
import {
  type ExchangeData,
  type ExchangeReply,
  type ExchangeRequest,
  type ExchangeSettings,
  longestMs,
} from './exchangeData.js';

/** How often a wait looks whether a signal asks the process to end. */
const POLL_MS = 50;
/** For the thread to start, and to reply. */
const GRACE_MS = 5000;

/** Requests to a server whose answers can be waited for in the middle of a computation. */
export interface Exchange {
  /** @returns its id, for `receive`; the memory of `body` must not be used again */
  send(request: Omit<ExchangeRequest, 'id'>): number;
  /** Blocks until the reply has come. @throws Interrupted when a signal asks this process to end */
  receive(id: number): ExchangeReply;
  close(): void;
}

/**
 * Starts a thread that talks to a server. Operations of TensorFlow.js return at once and models are written as such; the thread
 * lets them stay so: it sends and receives while this one computes, and this one sleeps where it needs the answer.
 */
export function openExchange(settings: ExchangeSettings): Exchange {
  const { port1, port2 } = new MessageChannel();
  const replies = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const { url, token, timeoutMs, retries } = settings;
  const workerData: ExchangeData = { url, token, timeoutMs, retries, port: port2, replies };
  // Tests run the sources; a thread needs JavaScript, as the build has it, and none of the tests' options of Node.
  const isSource = import.meta.url.endsWith('.ts');
  const script = isSource ? '../../dist/src/remote/exchangeThread.js' : './exchangeThread.js';
  const thread = new Worker(new URL(script, import.meta.url), {
    workerData,
    transferList: [port2],
    execArgv: [],
  });
  let death: Error | undefined;
  thread.on('error', (error) => {
    death = error;
  });
  thread.unref();
  port1.unref();
  const arrived = new Map<number, ExchangeReply>();
  let nextId = 0;
  const take = (id: number): ExchangeReply | undefined => {
    for (let message = receiveMessageOnPort(port1); message; message = receiveMessageOnPort(port1)) {
      const reply = message.message as ExchangeReply;
      arrived.set(reply.id, reply);
    }
    const reply = arrived.get(id);
    arrived.delete(id);
    return reply;
  };
  return {
    send: (request) => {
      if (death) throw death;
      const id = nextId++;
      const moved = request.body ? [request.body.buffer as ArrayBuffer] : [];
      port1.postMessage({ ...request, id } satisfies ExchangeRequest, moved);
      return id;
    },
    receive: (id) => {
      const latest = performance.now() + longestMs(settings) + GRACE_MS;
      for (;;) {
        const seen = Atomics.load(replies, 0);
        const reply = take(id);
        if (reply !== undefined) return reply;
        interruption.check();
        if (performance.now() > latest)
          throw new Error('openExchange: expected a reply of its thread, got none in time');
        Atomics.wait(replies, 0, seen, POLL_MS);
      }
    },
    close: () => {
      port1.close();
      void thread.terminate();
    },
  };
}
