import type { MessagePort } from 'node:worker_threads';
import type { EngineMessage, FrontMessage } from '../messages.js';
import type { BatchAnswer } from '../works.js';
import type { Engine } from './batcher.js';
import { Refusal } from './refusal.js';

/** The engine, in the thread at the other end of a port. */
export interface EngineLink extends Engine {
  /** Batches that failed since one did not. */
  failuresInARow(): number;
}

/** @param onClose hears that the server is to end, and how long requests may still take */
export function createEngineLink(port: MessagePort, onClose: (graceMs: number) => void): EngineLink {
  let failures = 0;
  let settle: { resolve: (answer: BatchAnswer) => void; reject: (error: Error) => void } | undefined;
  port.on('message', (message: EngineMessage) => {
    if (message.kind === 'close') return onClose(message.graceMs);
    failures = message.kind === 'failed' ? failures + 1 : 0;
    if (message.kind === 'answer') settle?.resolve(message.answer);
    else if (message.kind === 'unusable') settle?.reject(new Refusal('invalid_field', message.message));
    else settle?.reject(new Refusal('failed', 'the engine failed; the output of the server says why'));
  });
  return {
    run: (batch) =>
      new Promise((resolve, reject) => {
        settle = { resolve, reject };
        port.postMessage({ kind: 'batch', batch } satisfies FrontMessage);
      }),
    failuresInARow: () => failures,
  };
}
