import { Worker } from 'node:worker_threads';
import type { DecodeData, DecodeReply, DecodeRequest } from './decodeData.js';
import { Refusal } from './refusal.js';

/** Decodes pictures away from the event loop of whoever asks. */
export interface PictureDecoder {
  /** Resolves when it has started. */
  readonly ready: Promise<void>;
  /**
   * RGB bytes [imageSize, imageSize, 3].
   *
   * @param bytes of the file; its memory must not be used again
   * @throws Refusal for what is no picture, is damaged, or is too large
   */
  decode(bytes: Buffer<ArrayBuffer>): Promise<Uint8Array>;
  close(): void;
}

/** Of a model that takes no pictures. */
export const NO_DECODER: PictureDecoder = {
  ready: Promise.resolve(),
  decode: () => Promise.reject(new Refusal('not_supported', 'the model takes no pictures')),
  close: () => {},
};

export function createPictureDecoder(settings: DecodeData): PictureDecoder {
  // Tests run the sources; a thread needs JavaScript, as the build has it.
  const isSource = import.meta.url.endsWith('.ts');
  const script = isSource ? '../../dist/serving/front/decodeThread.js' : './decodeThread.js';
  const pending = new Map<number, { resolve: (pixels: Uint8Array) => void; reject: (error: Error) => void }>();
  let begin: () => void = () => {};
  const ready = new Promise<void>((resolve) => {
    begin = resolve;
  });
  let nextId = 0;
  let isClosed = false;
  const start = (): Worker => {
    const thread = new Worker(new URL(script, import.meta.url), { workerData: settings, execArgv: [] });
    thread.on('message', (reply: DecodeReply | 'ready') => {
      if (reply === 'ready') {
        // From here on, whoever asks stays alive by itself.
        thread.unref();
        return begin();
      }
      const asked = pending.get(reply.id);
      pending.delete(reply.id);
      if ('pixels' in reply) asked?.resolve(reply.pixels);
      else asked?.reject(new Refusal('invalid_picture', reply.reason));
    });
    thread.once('error', (error) => {
      for (const { reject } of pending.values()) reject(error);
      pending.clear();
      if (!isClosed) worker = start();
    });
    return thread;
  };
  let worker = start();
  return {
    ready,
    decode: (bytes) =>
      new Promise((resolve, reject) => {
        const id = nextId++;
        pending.set(id, { resolve, reject });
        worker.postMessage({ id, bytes } satisfies DecodeRequest, [bytes.buffer]);
      }),
    close: () => {
      isClosed = true;
      void worker.terminate();
    },
  };
}
