import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { UserError } from '#src/errors';
import { parseJson, readBytes, readTarIndex, type TarMember } from '#src/storage';
import type { CaptionedImage } from './captionedImage.js';
import { captionLines, decodeText } from './decodeText.js';
import { IMAGE_EXTENSIONS } from './imageFolder.js';
import { parseFile } from './parseFile.js';

/** A longer text or JSON beside an image is no caption. */
const MAX_TEXT_BYTES = 2 ** 20;

const caption = z.string('a string').regex(/\S/, 'a caption with at least one word');
const sampleJson = z.object(
  { caption: caption.nullish(), captions: z.array(caption, 'an array of captions').nullish() },
  'an object',
);

/**
 * Images and captions of WebDataset shards: tar archives in which the members of a sample follow one another and share the
 * name up to its first dot (https://github.com/webdataset/webdataset). Captions are those of `.txt`, one a line, otherwise
 * `caption` or `captions` of `.json`; other members are passed over. Ids are 1, 2, 3, … over all shards. Images are read
 * from the archive when they are asked for; what is kept is where they lie.
 *
 * @param path a shard, a folder of shards (in name order), or a list of either
 * @throws UserError naming shard, member and field
 */
export function readWebDataset(path: string | readonly string[]): CaptionedImage[] {
  const paths = typeof path === 'string' ? [path] : path;
  const images: CaptionedImage[] = [];
  for (const shard of paths.flatMap(shardsOf)) {
    for (const sample of samplesOf(shard, readTarIndex(shard))) {
      const read = readSample(shard, sample);
      if (read !== undefined) images.push({ id: images.length + 1, ...read });
    }
  }
  if (images.length === 0) throw new UserError(`${paths[0]}: expected shards with at least one image, got none`);
  return images;
}

/** The `.tar` files of a folder, by name. */
export function listShards(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.tar') && !name.startsWith('.'))
    .sort()
    .map((name) => join(folder, name));
}

function shardsOf(path: string): string[] {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status === undefined) {
    const hint = /[{*?]/.test(path) ? '; braces and wildcards are not expanded, give the folder or a list' : '';
    throw new UserError(`cannot read shards ${path}: no such file or folder${hint}`);
  }
  if (!status.isDirectory()) return [path];
  const shards = listShards(path);
  if (shards.length === 0) throw new UserError(`${path}: expected a folder with .tar shards, got none`);
  return shards;
}

interface Sample {
  readonly key: string;
  /** By extension, in lower case: all of the name behind its first dot. */
  readonly members: Map<string, TarMember>;
}

function samplesOf(shard: string, members: readonly TarMember[]): Sample[] {
  const samples = new Map<string, Sample>();
  let last: Sample | undefined;
  for (const member of members) {
    const [, key, extension] = /^((?:.*\/)?[^./][^./]*)\.([^/]*)$/.exec(member.name) ?? [];
    if (key === undefined) continue;
    if (last?.key !== key) {
      if (samples.has(key)) {
        throw new UserError(
          `${shard}: ${member.name}: expected the members of '${key}' to follow one another, got others between`,
        );
      }
      last = { key, members: new Map() };
      samples.set(key, last);
    }
    last.members.set(extension.toLowerCase(), member);
  }
  return [...samples.values()];
}

function readSample(shard: string, { key, members }: Sample): Omit<CaptionedImage, 'id'> | undefined {
  const images = IMAGE_EXTENSIONS.filter((extension) => members.has(extension));
  if (images.length > 1) throw new UserError(`${shard}: '${key}': expected one image, got ${images.join(' and ')}`);
  const captions = captionsOf(shard, members);
  if (images.length === 0) {
    if (captions === undefined) return undefined;
    throw new UserError(`${shard}: '${key}': expected an image beside the captions, got none`);
  }
  const { name, offset, length } = members.get(images[0]) as TarMember;
  return {
    fileName: name,
    path: join(shard, name),
    member: { archive: shard, offset, length },
    captions: captions ?? [],
  };
}

function captionsOf(shard: string, members: Sample['members']): string[] | undefined {
  const text = members.get('txt');
  if (text !== undefined) return captionLines(decodeText(...content(shard, text)), join(shard, text.name));
  const json = members.get('json');
  if (json === undefined) return undefined;
  const [bytes, where] = content(shard, json);
  const { caption: one, captions: several } = parseFile(sampleJson, parseJson(bytes, where, 'captions'), where);
  if (one == null && several == null) return undefined;
  return (several ?? [one as string]).map((words) => words.trim());
}

function content(shard: string, { name, offset, length }: TarMember): [Buffer, string] {
  const path = join(shard, name);
  if (length > MAX_TEXT_BYTES) {
    throw new UserError(`${path}: expected captions of at most ${MAX_TEXT_BYTES} bytes, got ${length}`);
  }
  return [readBytes({ path, member: { archive: shard, offset, length } }, 'captions'), path];
}
