import { z } from 'zod';
import { parseFile } from '#src/config';
import { imageMember, readShardText, readWebDatasetSamples, type ShardSample } from '#src/data';
import { UserError } from '#src/errors';
import { decodeText, parseJson } from '#src/storage';
import type { CaptionedImage } from './captionedImage.js';
import { CaptionText, captionLines } from './captionText.js';

const sampleJson = z.object(
  { caption: CaptionText.nullish(), captions: z.array(CaptionText, 'an array of captions').nullish() },
  'an object',
);

/**
 * Images and captions of WebDataset shards: tar archives in which the members of a sample are consecutive and share their
 * name up to the first dot (https://github.com/webdataset/webdataset). Captions come from `.txt`, one per line, otherwise
 * from `caption` or `captions` in `.json`; other members are ignored. Ids are 1, 2, 3, … across all shards. Images are
 * read from the archive on demand; only their offsets are kept.
 *
 * @param path a shard, a folder of shards (in name order), or a list of either
 * @throws UserError naming shard, member and field
 */
export function readWebDataset(path: string | readonly string[]): CaptionedImage[] {
  const images: CaptionedImage[] = [];
  for (const sample of readWebDatasetSamples(path)) {
    const read = readSample(sample);
    if (read !== undefined) images.push({ id: images.length + 1, ...read });
  }
  if (images.length === 0) {
    const first = typeof path === 'string' ? path : path[0];
    throw new UserError(`${first}: expected shards with at least one image, got none`);
  }
  return images;
}

function readSample(sample: ShardSample): Omit<CaptionedImage, 'id'> | undefined {
  const image = imageMember(sample);
  const captions = captionsOf(sample);
  if (image !== undefined) return { fileName: image.name, ...image.source, captions: captions ?? [] };
  if (captions === undefined) return undefined;
  throw new UserError(`${sample.shard}: '${sample.key}': expected an image with the captions, got none`);
}

function captionsOf(sample: ShardSample): string[] | undefined {
  const text = readShardText(sample, 'txt', 'captions');
  if (text !== undefined) return captionLines(decodeText(text.bytes, text.path), text.path);
  const json = readShardText(sample, 'json', 'captions');
  if (json === undefined) return undefined;
  const value = parseJson(json.bytes, json.path, 'captions');
  const { caption: one, captions: several } = parseFile(sampleJson, value, json.path);
  if (one == null && several == null) return undefined;
  return several ?? [one as string];
}
