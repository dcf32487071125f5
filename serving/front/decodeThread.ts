/** @file The thread that decodes pictures: what is done before and after sharp's own threads keeps no request waiting. */
import { parentPort, workerData } from 'node:worker_threads';
import { decodeImage } from '#vision';
import type { DecodeData, DecodeReply, DecodeRequest } from './decodeData.js';

const settings = workerData as DecodeData;

parentPort?.on('message', async ({ id, bytes }: DecodeRequest) => {
  const reply = (message: DecodeReply, moved: ArrayBuffer[] = []): void => parentPort?.postMessage(message, moved);
  try {
    const pixels = Uint8Array.from(await decodeImage(bytes, settings));
    reply({ id, pixels }, [pixels.buffer]);
  } catch (error) {
    reply({ id, reason: (error as Error).message });
  }
});
parentPort?.postMessage('ready');
