import { join, resolve } from 'node:path';
import { type CaptionImage, listImages, writePredictions } from '#captions/formats';
import { type CaptionedFile, type CaptionLog, captionImageFiles, loadJointModel, openCaptionLog } from '#fusion';
import { type Command, Interrupted, interruption, type JsonObject, type Output } from '#src/cli';
import { ConfigError, printable } from '#src/errors';
import { readBytes, sha256 } from '#src/storage';
import { createProgress } from '#src/tracking';
import { findCheckpoint } from '#src/training';
import { DECODING_OPTIONS, decodingOf, ENGINE_OPTIONS, startEngine } from '../options/index.js';

/** `tokenfuse caption`: captions of images. */
export const captionCommand: Command = {
  name: 'caption',
  summary: 'Caption an image, a folder of images, or the images of a captions file',
  details:
    'With --out predictions.json, captions are also appended to predictions.jsonl as they are made, with log probabilities ' +
    'and all candidates; an interrupted run resumes from there. The COCO results are written from it at the end.',
  positionals: [
    { name: 'model', description: 'an aligned model: run directory or checkpoint' },
    { name: 'images', description: 'an image file, a folder, or captions of any format (docs/data-formats.md)' },
  ],
  options: {
    out: { description: 'write COCO results JSON here', placeholder: 'predictions.json' },
    'batch-size': { description: 'images at a time (default 32)', placeholder: 'n' },
    ...DECODING_OPTIONS,
    ...ENGINE_OPTIONS,
  },
  run: async (args, output) => {
    const [modelPath, imagesPath] = args.positionals;
    const decoding = decodingOf(args);
    const batchSize = Number(args.text('batch-size') ?? 32);
    if (!Number.isInteger(batchSize) || batchSize < 1) {
      throw new ConfigError(`--batch-size: expected a whole number above 0, got '${args.text('batch-size')}'`);
    }
    const out = args.text('out');
    if (out !== undefined && !out.endsWith('.json')) {
      throw new ConfigError(`--out: expected a name that ends in .json, got '${out}'`);
    }
    const images = listImages(imagesPath);
    const model = readBytes(join(findCheckpoint(modelPath), 'model.safetensors'), 'model');
    const log = out === undefined ? undefined : openCaptionLog(logOf(out), { model: sha256(model), decoding }, images);
    try {
      await startEngine(args, output);
      const jointModel = loadJointModel(modelPath);
      const open = images.filter(({ id }) => !log?.captions.has(id));
      const batches = captionImageFiles(jointModel, open, { decoding, batchSize });
      const result =
        log === undefined || out === undefined
          ? await show(batches, output)
          : await record(batches, { log, images, out: resolve(out), output });
      jointModel.dispose();
      return { decoding, ...result };
    } finally {
      log?.close();
    }
  },
};

/** The JSON lines beside COCO results. */
function logOf(out: string): string {
  return resolve(out.replace(/json$/, 'jsonl'));
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
  readonly out: string;
  readonly output: Output;
}

async function record(
  batches: AsyncIterable<CaptionedFile[]>,
  { log, images, out, output }: Recording,
): Promise<JsonObject> {
  const start = log.captions.size;
  if (start > 0) output.line(`${start} of ${images.length} images are in ${logOf(out)} already`);
  const progress = createProgress({ total: images.length, start, label: 'caption', unit: 'images', output });
  const started = performance.now();
  try {
    for await (const batch of batches) {
      log.append(batch);
      const seconds = (performance.now() - started) / 1000;
      progress.update(log.captions.size, { unitsPerSecond: (log.captions.size - start) / seconds });
      const { signal } = interruption;
      if (signal !== undefined && log.captions.size < images.length) {
        throw new Interrupted(signal, ` after ${log.captions.size} of ${images.length} images`, true);
      }
    }
  } finally {
    progress.done();
  }
  writePredictions(
    out,
    images.map(({ id }) => ({ image_id: id, caption: log.captions.get(id) as string })),
  );
  output.line(`${images.length} captions in ${out}`);
  return { out, log: logOf(out), images: images.length };
}
