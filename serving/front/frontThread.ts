/** @file The thread that speaks HTTP: it is free while the engine computes. */
import type { AddressInfo } from 'node:net';
import { workerData } from 'node:worker_threads';
import { listenError, urlOf } from '#src/access';
import { RunError, UserError } from '#src/errors';
import { MAX_DECODE_BYTES } from '#vision';
import type { FrontData, FrontMessage } from '../messages.js';
import { createApp } from './app.js';
import { createEngineLink } from './engineLink.js';
import { createLineWriter } from './lineWriter.js';
import { createPictureDecoder, NO_DECODER } from './pictureDecoder.js';
import { openSite } from './site.js';

const { settings, description, port } = workerData as FrontData;
const { host, port: wanted, maxImagePixels } = settings;
const say = (message: FrontMessage): void => port.postMessage(message);
const writer = createLineWriter(2);

try {
  const site = settings.site === undefined ? undefined : openSite(settings.site);
  const decoder = description.pictures
    ? createPictureDecoder({
        ...{ ...description.pictures, maxImagePixels, maxDecodeBytes: MAX_DECODE_BYTES },
        limitName: 'of this server',
      })
    : NO_DECODER;
  const engine = createEngineLink(port, (graceMs) => void close(graceMs));
  const app = await createApp({
    ...{ settings, description, engine, decoder, site },
    failuresInARow: engine.failuresInARow,
    log: writer.write,
  });
  const close = async (graceMs: number): Promise<void> => {
    await app.close(graceMs);
    decoder.close();
    await writer.flushed();
    say({ kind: 'closed', counts: app.counts() });
  };
  await decoder.ready;
  await app.server.listen({ host, port: wanted }).catch((error) => {
    throw listenError(host, wanted, error);
  });
  say({ kind: 'listening', url: urlOf(app.server.server.address() as AddressInfo) });
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  say({ kind: 'refused', message: error.message, exitCode: error instanceof RunError ? 1 : 2 });
}
