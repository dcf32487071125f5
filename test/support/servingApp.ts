import type { AddressInfo } from 'node:net';
import sharp from 'sharp';
import { onTestFinished } from 'vitest';
import { SERVE_DEFAULTS, type ServedDescription, type ServeSettings } from '#serving';
import { createHttpClient, type HttpClient } from '../../bench/serving/httpClient.js';
import { type App, createApp } from '../../serving/front/app.js';
import type { Engine } from '../../serving/front/batcher.js';
import { createPictureDecoder, type PictureDecoder } from '../../serving/front/pictureDecoder.js';
import { openSite } from '../../serving/front/site.js';
import type { AnyBatch, BatchAnswer } from '../../serving/works.js';

export const SERVED: ServedDescription = {
  ...{ kind: 'fusion', name: 'align', parameters: 1000, works: ['caption', 'score', 'embed', 'generate'] },
  pictures: { imageSize: 4, resize: 'stretch', background: [0, 0, 0] },
  ...{ engine: 'none', version: '1.2.3' },
};

/** A picture of one grey level: `levelEngine` captions it with that. */
export function greyPicture(level: number, side = 8): Promise<Buffer> {
  const background = { r: level, g: level, b: level };
  return sharp({ create: { width: side, height: side, channels: 3, background } })
    .png()
    .toBuffer();
}

/** An engine that reads only the first pixel, and says it. */
export const levelEngine: Engine = { run: async (batch) => answerOf(batch) };

/** What `levelEngine` makes of a batch. */
export function answerOf(batch: AnyBatch): BatchAnswer {
  const ended = { logProb: -1, numTokens: 2, ended: true };
  const results = (() => {
    switch (batch.work) {
      case 'caption':
        return batch.items.map(({ pixels, imageId }) => [{ caption: `level ${pixels[0]} id ${imageId}`, ...ended }]);
      case 'score':
        return batch.items.map(({ captions }) =>
          captions.map((caption) => ({
            ...{ caption, logProb: -3, numTokens: 3, endLogProb: -1 },
            words: [{ word: caption, logProb: -2 }],
          })),
        );
      case 'embed':
        return batch.items.map(({ pixels }) => Float32Array.of(pixels[0], 0.5));
      case 'generate':
        return batch.items.map(({ prompt }) => [{ text: `${prompt}!`, ...ended }]);
    }
  })();
  return { outcomes: results.map((result) => ({ result })), tensors: 3, tensorBytes: 12 };
}

const decoders = new Map<number, PictureDecoder>();

/** One for all tests of a process: a thread takes a second to start. */
async function decoderOf(maxImagePixels: number): Promise<PictureDecoder> {
  const { imageSize, resize, background } = SERVED.pictures!;
  const settings = { imageSize, resize, background, maxImagePixels, maxDecodeBytes: 2 ** 28 };
  const decoder = decoders.get(maxImagePixels) ?? createPictureDecoder(settings);
  decoders.set(maxImagePixels, decoder);
  await decoder.ready;
  return decoder;
}

export interface ServedApp {
  readonly app: App;
  readonly url: string;
  readonly client: HttpClient;
  /** Lines of the log. */
  readonly lines: string[];
}

/** The service of an engine, listening in this process until the test is over. */
export async function serveApp(
  given: Partial<ServeSettings> = {},
  engine: Engine = levelEngine,
  description = SERVED,
): Promise<ServedApp> {
  const settings: ServeSettings = {
    ...{ ...SERVE_DEFAULTS, host: '127.0.0.1', port: 0, token: undefined, site: undefined, rate: 0 },
    ...given,
  };
  const lines: string[] = [];
  const decoder = await decoderOf(settings.maxImagePixels);
  const app = await createApp({
    ...{ settings, description, engine, decoder, failuresInARow: () => 0 },
    site: settings.site === undefined ? undefined : openSite(settings.site),
    log: (line) => lines.push(line),
  });
  await app.server.listen({ host: settings.host, port: 0 });
  const url = `http://127.0.0.1:${(app.server.server.address() as AddressInfo).port}`;
  const client = createHttpClient(url);
  onTestFinished(async () => {
    client.close();
    await app.close(100);
  });
  return { app, url, client, lines };
}
