import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type CaptionImage, listImageArguments, type UnusableImage, writePredictions } from '#captions/formats';
import {
  attachJointGroup,
  type CaptionedFile,
  type CaptionLog,
  captionImageFiles,
  loadJointModel,
  openCaptionLog,
  takeOverJointGroups,
  usePrefix,
} from '#fusion';
import { type Command, Interrupted, interruption, type JsonObject, type Output } from '#src/cli';
import { ConfigError, printable, RunError, UserError } from '#src/errors';
import { readGroupFile } from '#src/groups';
import type { RemoteParams } from '#src/remote';
import { type OutputPlace, openOutputEntry, readBytes, sha256 } from '#src/storage';
import { createProgress } from '#src/tracking';
import { findCheckpoint } from '#src/training';
import {
  DECODING_OPTIONS,
  decodingOf,
  ENGINE_OPTIONS,
  GROUP_OPTION,
  OVERWRITE_OPTION,
  PREFIX_OPTION,
  prefixOf,
  REMOTE_FALLBACK,
  REMOTE_OPTIONS,
  remoteOf,
  remoteResult,
  SPARSE_OPTION,
  sparsityOf,
  startEngine,
  wholeNumber,
} from '../options/index.js';

/** `tokenfuse caption`: captions of images. */
export const captionCommand: Command = {
  name: 'caption',
  summary: 'Caption images, folders of images, or the images of captions files',
  details:
    'With --out predictions.json, captions are also appended to predictions.jsonl as they are made, with log probabilities ' +
    'and all candidates; an interrupted run resumes from there. The COCO results are written from it at the end.\n' +
    'An image that cannot be read is left out and listed at the end; the exit code is then 1.',
  positionals: [
    { name: 'model', description: 'an aligned model: run directory or checkpoint' },
    {
      name: 'images',
      description: 'image files, folders, or captions of any format (docs/data-formats.md)',
      rest: true,
    },
  ],
  options: {
    out: { description: 'write COCO results JSON here', placeholder: 'predictions.json' },
    images: { description: 'folder of the image files of a captions file', placeholder: 'folder' },
    'max-image-pixels': {
      description: 'largest width × height to decode (default 200 million, less where it takes over 448 MB)',
      placeholder: 'n',
    },
    ...OVERWRITE_OPTION,
    ...GROUP_OPTION,
    'batch-size': { description: 'images at a time (default 32)', placeholder: 'n' },
    ...DECODING_OPTIONS,
    ...PREFIX_OPTION,
    ...SPARSE_OPTION,
    ...REMOTE_OPTIONS,
    ...REMOTE_FALLBACK,
    ...ENGINE_OPTIONS,
  },
  run: async (args, output) => {
    const [modelPath, ...imagePaths] = args.positionals;
    const decoding = decodingOf(args);
    const sparsity = sparsityOf(args);
    const prefix = prefixOf(args);
    const used = {
      ...(prefix && { prefix: args.text('prefix') }),
      ...(sparsity && { sparse: args.text('sparse') }),
    };
    const batchSize = Number(args.text('batch-size') ?? 32);
    if (!Number.isInteger(batchSize) || batchSize < 1) {
      throw new ConfigError(`--batch-size: expected a whole number above 0, got '${args.text('batch-size')}'`);
    }
    const out = args.text('out');
    if (out !== undefined && !out.endsWith('.json')) {
      throw new ConfigError(`--out: expected a name that ends in .json, got '${out}'`);
    }
    if (out !== undefined && args.flag('remote-fallback')) {
      throw new ConfigError('--remote-fallback: not with --out, whose captions must be those of one model');
    }
    const maxImagePixels = wholeNumber(args, 'max-image-pixels', 1, 0) || undefined;
    const { images, unusable } = listImageArguments(imagePaths, {
      images: args.text('images'),
      note: (line) => output.line(line),
    });
    const model = readBytes(join(findCheckpoint(modelPath), 'model.safetensors'), 'model');
    const groups = args.texts('group');
    const attached = groups.map((path) => readGroupFile(path).sha256);
    const place = out === undefined ? undefined : openPlace(out, args.flag('overwrite'), output);
    let log: CaptionLog | undefined;
    let remote: RemoteParams | undefined;
    try {
      const settings = {
        ...{ model: sha256(model), ...(attached.length > 0 && { groups: attached }), decoding },
        ...used,
        ...(args.text('remote') !== undefined && { remoteGroups: args.text('remote-groups') ?? '' }),
      };
      if (out !== undefined) log = openCaptionLog(logOf(out), settings, images);
      await startEngine(args, output);
      remote = remoteOf(args, output);
      let jointModel = loadJointModel(modelPath, { mayLackGroups: remote !== undefined });
      for (const group of groups) jointModel = await attachJointGroup(jointModel, group);
      if (prefix) jointModel = await usePrefix(jointModel, prefix);
      jointModel.tree.useSparsity(sparsity);
      if (remote) await takeOverJointGroups(jointModel, remote);
      let tokens = 0;
      const open = openBatches(images, batchSize, (id) => log?.captions.has(id) ?? false);
      const broken: UnusableImage[] = [...unusable];
      const captioned = captionImageFiles(jointModel, open, {
        ...{ decoding, batchSize, maxImagePixels },
        limitName: '--max-image-pixels',
        onBroken: (image, reason) => broken.push({ name: image.path, reason }),
      });
      const batches = counting(captioned, (count) => {
        tokens += count;
      });
      const result =
        log === undefined || out === undefined
          ? await show(batches, output)
          : await record(batches, { log, images, broken, out: resolve(out), output });
      jointModel.dispose();
      const lines = brokenLines(broken, images.length + unusable.length);
      // Under --json the good captions come as JSON, and so do the images without one.
      if (broken.length > 0 && !args.flag('json')) throw new RunError(lines.join('\n'));
      for (const line of lines) output.line(line);
      const cost = remoteResult(remote, output, tokens);
      return { decoding, ...used, ...result, ...cost, ...(broken.length > 0 && { broken, passed: false }) };
    } finally {
      remote?.close();
      log?.close();
      place?.release();
    }
  },
};

/** Takes the places of the results and of their log, which an interrupted run of the same captions goes on with. */
function openPlace(out: string, overwrite: boolean, { line }: Output): OutputPlace {
  const options = { overwrite, say: line, isOwn: () => !overwrite && existsSync(logOf(out)) };
  const place = openOutputEntry(resolve(out), options);
  try {
    if (overwrite) openOutputEntry(logOf(out), options).release();
    return place;
  } catch (error) {
    place.release();
    throw error;
  }
}

/**
 * The images of all batches in which one has no caption yet: in another batch, the last bits of its log probability might be
 * others, and a resumed run is to give the same bytes.
 */
function openBatches(
  images: readonly CaptionImage[],
  batchSize: number,
  isDone: (id: number) => boolean,
): CaptionImage[] {
  return images.filter((_, i) => {
    const first = i - (i % batchSize);
    return images.slice(first, first + batchSize).some(({ id }) => !isDone(id));
  });
}

/** The same batches; hears the tokens of the captions of each. */
async function* counting(
  batches: AsyncIterable<CaptionedFile[]>,
  count: (tokens: number) => void,
): AsyncIterable<CaptionedFile[]> {
  for await (const batch of batches) {
    count(batch.reduce((sum, { candidates }) => sum + candidates[0].numTokens, 0));
    yield batch;
  }
}

/** The JSON lines beside COCO results. */
function logOf(out: string): string {
  return resolve(out.replace(/json$/, 'jsonl'));
}

/** How many images without a caption are named. */
const SHOWN = 20;

/** The images without a caption, one a line below their number. @throws UserError when none has one */
function brokenLines(broken: readonly UnusableImage[], numImages: number): string[] {
  if (broken.length === 0) return [];
  const lines = broken.slice(0, SHOWN).map(({ name, reason }) => printable(`${name}: ${reason}`));
  if (broken.length === numImages) {
    throw new UserError(
      numImages === 1 ? `image ${lines[0]}` : [`none of ${numImages} images can be read:`, ...lines].join('\n'),
    );
  }
  if (broken.length > SHOWN) lines.push(`and ${broken.length - SHOWN} more`);
  return [`${broken.length} of ${numImages} images cannot be read and have no caption:`, ...lines];
}

/** A line an image; its other candidates below it. */
async function show(batches: AsyncIterable<CaptionedFile[]>, output: Output): Promise<JsonObject> {
  const predictions: JsonObject[] = [];
  for await (const batch of batches) {
    for (const { image, candidates } of batch) {
      const name = printable(image.fileName);
      output.line(`${name}  ${printable(candidates[0].caption)}`);
      for (const { caption } of candidates.slice(1)) output.line(`${' '.repeat(name.length)}  ${printable(caption)}`);
      const { id, fileName } = image;
      predictions.push({ image_id: id, file_name: fileName, caption: candidates[0].caption, candidates });
    }
    interruption.check();
    if (output.readerLeft?.()) break;
  }
  return { predictions };
}

interface Recording {
  readonly log: CaptionLog;
  readonly images: readonly CaptionImage[];
  /** Grows while images are read. */
  readonly broken: readonly UnusableImage[];
  readonly out: string;
  readonly output: Output;
}

async function record(
  batches: AsyncIterable<CaptionedFile[]>,
  { log, images, broken, out, output }: Recording,
): Promise<JsonObject> {
  const start = log.captions.size;
  const unusable = broken.length;
  if (start > 0) output.line(`${start} of ${images.length} images are in ${logOf(out)} already`);
  const progress = createProgress({ total: images.length, start, label: 'caption', unit: 'images', output });
  const started = performance.now();
  try {
    for await (const batch of batches) {
      log.append(batch.filter(({ image }) => !log.captions.has(image.id)));
      const seconds = (performance.now() - started) / 1000;
      progress.update(log.captions.size + broken.length - unusable, {
        unitsPerSecond: (log.captions.size - start) / seconds,
      });
      const { signal } = interruption;
      if (signal !== undefined && log.captions.size < images.length) {
        throw new Interrupted(signal, ` after ${log.captions.size} of ${images.length} images`, true, ['--overwrite']);
      }
    }
  } finally {
    progress.done();
  }
  const predictions = images.flatMap(({ id }) => {
    const caption = log.captions.get(id);
    return caption === undefined ? [] : [{ image_id: id, caption }];
  });
  if (predictions.length > 0) {
    writePredictions(out, predictions);
    output.line(`${predictions.length} captions in ${out}`);
  }
  return { out, log: logOf(out), images: predictions.length };
}
