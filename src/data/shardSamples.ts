/** @file Samples of WebDataset shards: https://github.com/webdataset/webdataset */
import { join } from 'node:path';
import { UserError } from '#src/errors';
import { type ByteSource, fileStatus, folderNames, readBytes, readTarIndex, type TarMember } from '#src/storage';

/** Longer texts and JSON beside an image are not captions or labels. */
const MAX_TEXT_BYTES = 2 ** 20;

/** Members of one shard that follow one another and share their name up to its first dot. */
export interface ShardSample {
  readonly shard: string;
  readonly key: string;
  /** By extension, in lower case: all of the name behind its first dot. */
  readonly members: ReadonlyMap<string, TarMember>;
}

/** Where a member lies: nothing is unpacked. */
export interface ShardMember {
  readonly name: string;
  readonly source: ByteSource;
}

/** The `.tar` files of a folder, by name. */
export function listShards(folder: string): string[] {
  return folderNames(folder, 'shards')
    .filter((name) => name.endsWith('.tar') && !name.startsWith('.'))
    .map((name) => join(folder, name));
}

/**
 * The samples of WebDataset shards, one shard after the other.
 *
 * @param path a shard, a folder of shards (in name order), or a list of either
 * @throws UserError naming shard and member: what `readTarIndex` refuses, or a sample whose members lie apart
 */
export function* readWebDatasetSamples(path: string | readonly string[]): Generator<ShardSample> {
  const paths = typeof path === 'string' ? [path] : path;
  for (const shard of paths.flatMap(shardsOf)) yield* samplesOf(shard, readTarIndex(shard));
}

/** The one member with an extension of the list, or undefined. @throws UserError when there are several */
export function onlyMember(
  { shard, key, members }: ShardSample,
  extensions: readonly string[],
  what: string,
): ShardMember | undefined {
  const found = extensions.filter((extension) => members.has(extension));
  if (found.length > 1) throw new UserError(`${shard}: '${key}': expected one ${what}, got ${found.join(' and ')}`);
  return found.length === 0 ? undefined : placeOf(shard, members.get(found[0]) as TarMember);
}

/**
 * The bytes of the member with this extension and its path for messages, or undefined when the sample has none.
 *
 * @param purpose what it is read for: 'captions'
 * @throws UserError when it is longer than a text beside an image can be
 */
export function readShardText(
  { shard, members }: ShardSample,
  extension: string,
  purpose: string,
): { readonly bytes: Buffer; readonly path: string } | undefined {
  const member = members.get(extension);
  if (member === undefined) return undefined;
  const { source } = placeOf(shard, member);
  if (member.length > MAX_TEXT_BYTES) {
    throw new UserError(`${source.path}: expected ${purpose} of at most ${MAX_TEXT_BYTES} bytes, got ${member.length}`);
  }
  return { bytes: readBytes(source, purpose), path: source.path };
}

function placeOf(shard: string, { name, offset, length }: TarMember): ShardMember {
  return { name, source: { path: join(shard, name), member: { archive: shard, offset, length } } };
}

function shardsOf(path: string): string[] {
  const status = fileStatus(path, 'shards');
  if (status === undefined) {
    const hint = /[{*?]/.test(path) ? '; braces and wildcards are not expanded, give the folder or a list' : '';
    throw new UserError(`cannot read shards ${path}: no such file or folder${hint}`);
  }
  if (!status.isDirectory()) return [path];
  const shards = listShards(path);
  if (shards.length === 0) throw new UserError(`${path}: expected a folder with .tar shards, got none`);
  return shards;
}

function samplesOf(shard: string, members: readonly TarMember[]): ShardSample[] {
  const samples = new Map<string, { key: string; members: Map<string, TarMember> }>();
  let last: { key: string; members: Map<string, TarMember> } | undefined;
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
  return [...samples.values()].map((sample) => ({ shard, ...sample }));
}
