import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { readEvents } from 'tensorboard-writer';
import { type CaptionSource, loadCaptions, readPredictions } from '#captions/formats';
import { readDocumentFrequencies } from '#captions/scoring';
import { parseExperiment } from '#experiments';
import { JointModelConfig, openCaptionLog } from '#fusion';
import { Decoding, LanguageModelConfig, loadTokenizer, readTextDocuments } from '#language';
import { sceneProbe } from '#scenes';
import { parseConfig } from '#src/config';
import { readGroupFile } from '#src/groups';
import { readSafetensors } from '#src/storage';
import { readMetrics } from '#src/tracking';
import { findCheckpoint, readModelDescription, readProgress } from '#src/training';
import { decodeImage, VisionModelConfig } from '#vision';
import { readCocoFile } from '../../vision/data/cocoFile.js';
import { readImageShards } from '../../vision/data/imageShards.js';
import { writeEveryFormat } from '../support/captionFormats.js';

/** A format that is read, with small valid files of it. */
export interface FuzzFormat {
  readonly name: string;
  /** How often it is drawn; slow ones less. */
  readonly weight: number;
  readonly seeds: readonly Buffer[];
  /** Reads the bytes as the program would read such a file. */
  read(bytes: Buffer): Promise<unknown> | unknown;
  /** Whether the reader's own kind of error is refused by its callers in one line. */
  readonly throwsPlainErrors?: boolean;
}

/** Every format, with seeds from `workshop`; each file to read is written below `folder`. */
export async function fuzzFormats(folder: string, workshop: string): Promise<FuzzFormat[]> {
  return [
    ...(await captionFormats(folder)),
    ...(await shardFormats(folder)),
    ...labelFormats(folder, workshop),
    ...modelFormats(folder, workshop),
    ...textFormats(folder, workshop),
    ...logFormats(folder, workshop),
    ...(await imageFormats()),
  ];
}

/** A format of which one file is read by its path. */
function fileFormat(
  name: string,
  path: string,
  seeds: readonly Buffer[],
  read: (path: string) => unknown,
  weight = 4,
): FuzzFormat {
  return {
    name,
    weight,
    seeds,
    read: (bytes) => {
      writeFileSync(path, bytes);
      return read(path);
    },
  };
}

async function captionFormats(folder: string): Promise<FuzzFormat[]> {
  const place = join(folder, 'captions');
  mkdirSync(place, { recursive: true });
  const sources = Object.entries(await writeEveryFormat(place));
  return sources.flatMap(([name, source]) => {
    const path = typeof source === 'string' ? source : source.path;
    // A folder is fuzzed by one text file or shard in it, below.
    if (typeof path !== 'string' || !/\.(json|txt)$/.test(path)) return [];
    return [fileFormat(`captions ${name}`, path, [readFileSync(path)], () => loadCaptions(source))];
  });
}

async function shardFormats(folder: string): Promise<FuzzFormat[]> {
  const place = join(folder, 'folders');
  mkdirSync(place, { recursive: true });
  await writeEveryFormat(place);
  const [shards, sidecar] = [join(place, 'shards'), join(place, 'sidecar')];
  const tars = readdirSync(shards).map((name) => readFileSync(join(shards, name)));
  const shard = join(folder, 'shard.tar');
  const source: CaptionSource = { format: 'webdataset', path: shard };
  const text = join(sidecar, 'bird.txt');
  return [
    fileFormat('captions webdataset', shard, tars, () => loadCaptions(source)),
    fileFormat('image shards', shard, tars, () => readImageShards([shard], 'class', undefined)),
    fileFormat('captions sidecar', text, [readFileSync(text)], () => loadCaptions(sidecar)),
  ];
}

function labelFormats(folder: string, workshop: string): FuzzFormat[] {
  const split = join(workshop, 'data/vision/train');
  const labels = readFileSync(join(split, 'labels.json'));
  const scenes = [readFileSync(join(workshop, 'data/test_seen/scenes.json'))];
  return [
    fileFormat('labels', join(folder, 'labels.json'), [labels], (path) =>
      readCocoFile(path, join(split, 'images'), 'grid'),
    ),
    fileFormat('scenes', join(folder, 'scenes.json'), scenes, (path) => sceneProbe.open(path, [1, 2, 3])),
  ];
}

function modelFormats(folder: string, workshop: string): FuzzFormat[] {
  const checkpoint = join(folder, 'checkpoint');
  mkdirSync(checkpoint, { recursive: true });
  const runs = ['vision', 'language', 'align'].map((name) => findCheckpoint(join(workshop, name)));
  const all = (name: string): Buffer[] => runs.map((run) => readFileSync(join(run, name)));
  const configs = { vision: VisionModelConfig, language: LanguageModelConfig, fusion: JointModelConfig };
  const tokenizer = [readFileSync(join(workshop, 'tokenizer/tokenizer.json'))];
  const groups = ['tune/captions.safetensors', 'bridge.safetensors'].map((name) => readFileSync(join(workshop, name)));
  const pointer = join(folder, 'run', 'checkpoints', 'last.json');
  mkdirSync(join(pointer, '..'), { recursive: true });
  return [
    fileFormat('safetensors', join(folder, 'x.safetensors'), all('model.safetensors'), readSafetensors),
    fileFormat('group', join(folder, 'group.safetensors'), groups, readGroupFile),
    fileFormat('model.json', join(checkpoint, 'model.json'), all('model.json'), (path) => {
      const { kind, config } = readModelDescription(checkpoint);
      return parseConfig(config, configs[kind], path);
    }),
    fileFormat('state.json', join(checkpoint, 'state.json'), all('state.json'), () => readProgress(checkpoint)),
    fileFormat('checkpoint pointer', pointer, [readFileSync(join(runs[0], '../last.json'))], () =>
      findCheckpoint(join(folder, 'run')),
    ),
    fileFormat('tokenizer.json', join(folder, 'tokenizer.json'), tokenizer, (path) => {
      const loaded = loadTokenizer({ kind: 'bpe', path }, { baseDir: folder });
      const ids = loaded.encode('a large red circle is left of a small blue square');
      loaded.decode(ids);
      loaded.dispose();
    }),
  ];
}

function textFormats(folder: string, workshop: string): FuzzFormat[] {
  const readAll = (path: string, documents: 'file' | 'line'): number => {
    let length = 0;
    for (const document of readTextDocuments(path, { documents, field: 'text' })) {
      for (const piece of document) length += piece.length;
    }
    return length;
  };
  const text = readFileSync(join(workshop, 'data/language/val.txt'));
  const lines = text.toString('utf8').split('\n').slice(0, 8);
  const jsonl = Buffer.from(lines.map((line) => `${JSON.stringify({ text: line })}\n`).join(''));
  const experiments = readdirSync(workshop).filter((name) => name.endsWith('.yaml'));
  return [
    fileFormat('text', join(folder, 'lines.txt'), [text], (path) => readAll(path, 'line')),
    fileFormat('text as one document', join(folder, 'text.txt'), [text], (path) => readAll(path, 'file')),
    fileFormat('JSONL', join(folder, 'text.jsonl'), [jsonl], (path) => readAll(path, 'line')),
    fileFormat(
      'experiment',
      join(folder, 'experiment.yaml'),
      experiments.map((name) => readFileSync(join(workshop, name))),
      (path) => parseExperiment(path),
    ),
    fileFormat('predictions', join(folder, 'predictions.json'), seedsOf(workshop, 'captions/seen.json'), (path) =>
      readPredictions(path),
    ),
    fileFormat('idf', join(folder, 'idf.json'), seedsOf(workshop, 'idf.json'), (path) =>
      readDocumentFrequencies(path, 'ptb'),
    ),
  ];
}

function logFormats(folder: string, workshop: string): FuzzFormat[] {
  const run = join(folder, 'logs');
  mkdirSync(run, { recursive: true });
  const events = join(workshop, 'vision/events');
  const [eventFile] = readdirSync(events);
  const captionLog = seedsOf(workshop, 'captions/seen.jsonl');
  const settings = JSON.parse(captionLog[0].toString('utf8').split('\n')[0]) as { model: string; decoding: unknown };
  const images = readdirSync(join(workshop, 'data/test_seen/images')).map((fileName, i) => ({
    ...{ id: i + 1, fileName, path: join(workshop, 'data/test_seen/images', fileName) },
  }));
  return [
    fileFormat('metrics.jsonl', join(run, 'metrics.jsonl'), seedsOf(workshop, 'vision/metrics.jsonl'), () =>
      readMetrics(run),
    ),
    {
      ...fileFormat('event file', join(folder, eventFile), [readFileSync(join(events, eventFile))], (path) =>
        readEvents(path, { ignoreTornTail: true }),
      ),
      throwsPlainErrors: true,
    },
    fileFormat('caption log', join(folder, 'captions.jsonl'), captionLog, (path) =>
      openCaptionLog(path, { ...settings, decoding: Decoding.parse(settings.decoding) }, images).close(),
    ),
  ];
}

/** Small pictures of every kind that users have. */
async function imageFormats(): Promise<FuzzFormat[]> {
  const gradient = Buffer.from(Uint8Array.from({ length: 24 * 16 * 4 }, (_, i) => (i * 7) % 256));
  const picture = () => sharp(gradient, { raw: { width: 24, height: 16, channels: 4 } });
  const kinds: Record<string, Buffer[]> = {
    PNG: [
      await picture().png().toBuffer(),
      await picture().removeAlpha().png({ compressionLevel: 9 }).toBuffer(),
      await picture().png({ palette: true }).toBuffer(),
      await picture().toColourspace('rgb16').png({ progressive: true }).toBuffer(),
    ],
    JPEG: [await picture().jpeg().toBuffer(), await picture().jpeg({ progressive: true }).toBuffer()],
    GIF: [await picture().gif().toBuffer()],
    WebP: [await picture().webp().toBuffer(), await picture().webp({ lossless: true }).toBuffer()],
    TIFF: [await picture().tiff().toBuffer(), await picture().tiff({ compression: 'lzw' }).toBuffer()],
  };
  return Object.entries(kinds).map(([name, seeds]) => ({
    ...{ name, seeds, weight: 1, throwsPlainErrors: true },
    read: (bytes) => decodeImage(bytes, { imageSize: 24, resize: 'stretch', background: [255, 255, 255] }),
  }));
}

function seedsOf(workshop: string, path: string): Buffer[] {
  return [readFileSync(join(workshop, path))];
}
