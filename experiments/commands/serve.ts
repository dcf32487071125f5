import { openServedModel, SERVE_DEFAULTS, type ServeSettings, serveModel } from '#serving';
import { type Arguments, type Command, interruption } from '#src/cli';
import { ConfigError } from '#src/errors';
import {
  ENGINE_OPTIONS,
  GROUP_OPTION,
  listenAddressOf,
  listenOptions,
  PREFIX_OPTION,
  prefixOf,
  SPARSE_OPTION,
  sparsityOf,
  startEngine,
  tokenDetails,
  wholeNumber,
} from '../options/index.js';
import { packageVersion } from '../stages/index.js';

const PORT = 8080;
const TOKEN_VARIABLE = 'TOKENFUSE_SERVE_TOKEN';

/** `tokenfuse serve`: a model over HTTP. */
export const serveCommand: Command = {
  name: 'serve',
  summary: 'Serve a model over HTTP: captions, scores of captions, embeddings, continuations',
  details:
    'It answers until a signal ends it; requests that have come are still answered. /openapi.json describes its routes, ' +
    'docs/serving.md shows them.\n' +
    tokenDetails(TOKEN_VARIABLE),
  positionals: [
    { name: 'model', description: 'a vision, language, merged or aligned model: run directory or checkpoint' },
  ],
  options: {
    ...listenOptions(PORT),
    site: {
      description: 'serve the files of this folder too, such as tokenfuse export web writes',
      placeholder: 'folder',
    },
    'batch-size': { description: 'pictures or prompts at a time (default 32)', placeholder: 'n' },
    'batch-wait': {
      description: 'milliseconds that the first of a batch waits for others (default 5)',
      placeholder: 'ms',
    },
    queue: { description: 'pictures and prompts that may wait; more get 503 (default 256)', placeholder: 'n' },
    rate: { description: 'requests a second from one address; more get 429; 0: any (default 100)', placeholder: 'n' },
    timeout: {
      description: 'seconds for a request to arrive, and for its answer (default 30)',
      placeholder: 's',
    },
    'max-pictures': { description: 'pictures of one request (default 16)', placeholder: 'n' },
    'max-megabytes': { description: 'size of one request (default 20)', placeholder: 'n' },
    'max-image-pixels': { description: 'largest width × height to decode (default 50 million)', placeholder: 'n' },
    ...{ ...GROUP_OPTION, ...PREFIX_OPTION, ...SPARSE_OPTION, ...ENGINE_OPTIONS },
  },
  run: async (args, output) => {
    const settings = settingsOf(args);
    const use = { groups: args.texts('group'), prefix: prefixOf(args), sparsity: sparsityOf(args) };
    const engine = await startEngine(args, output);
    const model = await openServedModel(args.positionals[0], use);
    try {
      const counts = await interruption.waitFor(async () => {
        const ended = interruption.ended();
        const server = await serveModel(model, {
          ...{ settings, engine: `${engine.name} on ${engine.device}`, version: packageVersion },
          onFailure: (error) =>
            output.line(`a batch failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`),
        });
        const { kind, name, works } = model.description;
        output.line(`${kind} model ${name}: ${works.join(', ')}`);
        output.line(`serving at ${server.url}${settings.token === undefined ? ', without a token' : ''}`);
        await Promise.race([ended, server.failed]);
        return await server.close(settings.timeoutMs);
      });
      output.line(`${counts.answered} requests answered, ${counts.refused} refused`);
      return { model: model.description.name, engine, ...counts };
    } finally {
      model.dispose();
    }
  },
};

/** @throws ConfigError for values out of range */
function settingsOf(args: Arguments): ServeSettings {
  const { batchSize, batchWaitMs, maxQueue, rate, timeoutMs, maxPictures, maxBodyBytes, maxImagePixels } =
    SERVE_DEFAULTS;
  const megabyte = 2 ** 20;
  const settings = {
    ...SERVE_DEFAULTS,
    ...listenAddressOf(args, PORT, TOKEN_VARIABLE),
    site: args.text('site'),
    batchSize: wholeNumber(args, 'batch-size', 1, batchSize),
    batchWaitMs: wholeNumber(args, 'batch-wait', 0, batchWaitMs),
    maxQueue: wholeNumber(args, 'queue', 1, maxQueue),
    rate: wholeNumber(args, 'rate', 0, rate),
    timeoutMs: 1000 * wholeNumber(args, 'timeout', 1, timeoutMs / 1000),
    maxPictures: wholeNumber(args, 'max-pictures', 1, maxPictures),
    maxBodyBytes: megabyte * wholeNumber(args, 'max-megabytes', 1, maxBodyBytes / megabyte),
    maxImagePixels: wholeNumber(args, 'max-image-pixels', 1, maxImagePixels),
  };
  if (settings.maxPictures > settings.maxQueue) {
    throw new ConfigError(
      `--max-pictures: expected at most --queue, ${settings.maxQueue}, got ${settings.maxPictures}`,
    );
  }
  return { ...settings, maxHeldBytes: Math.max(settings.maxHeldBytes, settings.maxBodyBytes) };
}
