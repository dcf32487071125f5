import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { captionSourceArgument } from '#captions/formats';
import type { Arguments, Command } from '#src/cli';
import { ConfigError, didYouMean, UserError } from '#src/errors';
import { inOutputEntry } from '#src/storage';
import { findCheckpoint, readModelDescription } from '#src/training';
import { exportSite, lossLines, megabytes, SITE_INDEX, WEIGHT_PRECISIONS, type WeightPrecision } from '#web';
import {
  DECODING_OPTIONS,
  decodingOf,
  ENGINE_OPTIONS,
  EXPERIMENT_OPTIONS,
  OVERWRITE_OPTION,
  startEngine,
  wholeNumber,
} from '../options/index.js';
import { packageRoot } from '../stages/index.js';

const { 'cache-dir': cacheDir } = EXPERIMENT_OPTIONS;

/** `tokenfuse export web`: a static page that runs a model in the visitor's browser. */
export const exportWebCommand: Command = {
  name: 'export web',
  summary: 'Write a static page that runs a model in the browser of whoever opens it',
  details:
    'The page captions pictures (a merged or aligned model) or continues texts (a language model) with the code of this program, on webgpu ' +
    'or wasm, and asks no other server for anything. Open it through any web server, or with --single-file as a file.\n' +
    'It states what the precision of its weights costs: on drawn inputs, and with --check in NLL and CIDEr-D (docs/web.md).',
  positionals: [{ name: 'model', description: 'a merged, aligned or language model: run directory or checkpoint' }],
  options: {
    out: { description: 'folder of the page (default: site)', placeholder: 'dir' },
    weights: {
      description: `${WEIGHT_PRECISIONS.join(', ')} (default: float16, or float32 where a weight is beyond its range)`,
      placeholder: 'precision',
    },
    examples: {
      description: 'captions of any format, or a folder of images: a handful go with the page',
      placeholder: 'path',
    },
    check: { description: 'captions to measure the loss of precision on', placeholder: 'captions' },
    images: { description: 'folder of the image files of --examples and --check', placeholder: 'folder' },
    limit: { description: 'most pairs of --check (default 1000)', placeholder: 'n' },
    prompt: { description: 'a beginning to offer, for a language model', placeholder: 'text', multiple: true },
    title: { description: 'title of the page (default: from the folder of the model)', placeholder: 'text' },
    'single-file': { description: 'put all into index.html, which opens without a server' },
    'cache-dir': cacheDir,
    ...OVERWRITE_OPTION,
    ...DECODING_OPTIONS,
    ...ENGINE_OPTIONS,
  },
  run: async (args, output) => {
    const [path] = args.positionals;
    const out = resolve(args.text('out') ?? 'site');
    const decoding = decodingOf(args);
    const weights = weightsOf(args);
    refuseOtherKinds(args, path);
    const note = (line: string): void => output.line(line);
    const [examples, check, images] = [args.text('examples'), args.text('check'), args.text('images')];
    const maxPairs = wholeNumber(args, 'limit', 1, 1000);
    return await inOutputEntry(out, { overwrite: args.flag('overwrite'), say: output.line }, async () => {
      const engine = await startEngine(args, output);
      const { kind, bytes, weightBytes, loss } = await exportSite(path, out, {
        ...{ version: versionOfPackage(), title: args.text('title'), weights, decoding, prompts: args.texts('prompt') },
        singleFile: args.flag('single-file'),
        examples: examples === undefined ? undefined : { argument: examples, images, note },
        check:
          check === undefined
            ? undefined
            : {
                captions: captionSourceArgument(check),
                cacheDir: resolve(args.text('cache-dir') ?? join('.tokenfuse', 'cache')),
                ...{ images, maxPairs, note },
              },
      });
      output.line(
        `page: ${join(out, SITE_INDEX)}, ${megabytes(bytes)}, of it weights ${megabytes(weightBytes)} (${loss.precision})`,
      );
      for (const [name, text] of lossLines(loss)) output.line(`${name}: ${text}`);
      return { out, kind, engine, bytes, weightBytes, loss };
    });
  },
};

function weightsOf(args: Arguments): WeightPrecision | undefined {
  const text = args.text('weights');
  const known = WEIGHT_PRECISIONS.find((name) => name === text);
  if (text === undefined || known !== undefined) return known;
  throw new ConfigError(
    `--weights: expected ${WEIGHT_PRECISIONS.join(', ')}; got '${text}'${didYouMean(text, [...WEIGHT_PRECISIONS])}`,
  );
}

/** @throws UserError for options that mean nothing to a kind of model */
function refuseOtherKinds(args: Arguments, path: string): void {
  const { kind } = readModelDescription(findCheckpoint(path));
  const [foreign, needed] =
    kind === 'fusion' ? [['prompt'], 'a language model'] : [['examples', 'check', 'images', 'limit'], 'a merged model'];
  const given = foreign.find((name) => args.texts(name).length > 0 || args.text(name) !== undefined);
  if (given !== undefined) throw new UserError(`--${given}: it is for ${needed}, got a ${kind} model; leave it out`);
}

function versionOfPackage(): string {
  return (JSON.parse(readFileSync(new URL('package.json', packageRoot), 'utf8')) as { version: string }).version;
}
