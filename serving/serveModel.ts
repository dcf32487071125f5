import { MessageChannel, Worker } from 'node:worker_threads';
import { tf } from '#src/engine';
import { RunError, UserError } from '#src/errors';
import type { EngineMessage, FrontData, FrontMessage, ServeCounts } from './messages.js';
import { type ServedModel, warmUp } from './model/index.js';
import type { ServedDescription, ServeSettings } from './settings.js';

export interface ServeOptions {
  readonly settings: ServeSettings;
  readonly engine: string;
  readonly version: string;
  /** Hears of failures that are no client's fault. */
  readonly onFailure: (error: unknown) => void;
}

/** A model that is being served. */
export interface ModelServer {
  readonly url: string;
  /** Rejects when the server cannot go on. */
  readonly failed: Promise<never>;
  /** Takes no more requests, answers those that have come for so long, and ends. */
  close(graceMs: number): Promise<ServeCounts>;
}

/**
 * Serves a model over HTTP. A thread of its own speaks HTTP, so that an engine that computes without a pause keeps no request
 * waiting for more than its result; pictures are decoded in a further one.
 *
 * @throws RunError when the address cannot be had; UserError for a site that cannot be served
 */
export async function serveModel(model: ServedModel, options: ServeOptions): Promise<ModelServer> {
  const { settings, engine, version, onFailure } = options;
  await warmUp(model, settings.batchSize);
  const description: ServedDescription = { ...model.description, engine, version };
  const { port1: port, port2 } = new MessageChannel();
  const workerData: FrontData = { settings, description, port: port2 };
  // Tests run the sources; a thread needs JavaScript, as the build has it, and none of the tests' options of Node.
  const isSource = import.meta.url.endsWith('.ts');
  const script = isSource ? '../dist/serving/front/frontThread.js' : './front/frontThread.js';
  const thread = new Worker(new URL(script, import.meta.url), { workerData, transferList: [port2], execArgv: [] });
  const say = (message: EngineMessage): void => port.postMessage(message);

  const work = async (batch: Parameters<ServedModel['run']>[0]): Promise<void> => {
    try {
      const outcomes = await model.run(batch);
      const { numTensors, numBytes } = tf.memory();
      say({ kind: 'answer', answer: { outcomes, tensors: numTensors, tensorBytes: numBytes } });
    } catch (error) {
      if (error instanceof UserError && !(error instanceof RunError)) {
        say({ kind: 'unusable', message: error.message });
        return;
      }
      onFailure(error);
      say({ kind: 'failed' });
    }
  };

  let onListening: (url: string) => void = () => {};
  let onRefused: (error: Error) => void = () => {};
  let onClosed: (counts: ServeCounts) => void = () => {};
  const listening = new Promise<string>((resolve, reject) => {
    onListening = resolve;
    onRefused = reject;
  });
  const closed = new Promise<ServeCounts>((resolve) => {
    onClosed = resolve;
  });
  const failed = new Promise<never>((_, reject) => {
    thread.once('error', (error) => {
      onRefused(error);
      reject(error);
    });
  });
  failed.catch(() => undefined); // heard by whoever waits for it
  port.on('message', (message: FrontMessage) => {
    if (message.kind === 'batch') void work(message.batch);
    else if (message.kind === 'listening') onListening(message.url);
    else if (message.kind === 'closed') onClosed(message.counts);
    else onRefused(new { 1: RunError, 2: UserError }[message.exitCode](message.message));
  });
  try {
    const url = await listening;
    return {
      url,
      failed,
      close: async (graceMs) => {
        say({ kind: 'close', graceMs });
        const counts = await Promise.race([closed, failed]);
        port.close();
        await thread.terminate();
        return counts;
      },
    };
  } catch (error) {
    port.close();
    await thread.terminate();
    throw error;
  }
}
