import { closeSync, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { contentHashes, forEachConcurrently, withFileBytes } from '#src/data';
import { printable, RunError, UserError } from '#src/errors';
import {
  chunkDigests,
  clearLeftovers,
  draftFolder,
  publishEntry,
  sha256,
  systemErrorWords,
  writeFailure,
  writeSealedJson,
} from '#src/storage';
import { startWork } from '#src/tracking';
import { DECODER_VERSION, type DecodeSettings, decodeImage, largestFile } from './decodeImage.js';
import type { ImageEntry } from './labelledImages.js';
import { type BrokenSlot, openPack, type PackedImages, readPackIndex } from './packedImages.js';

export interface PackOptions extends DecodeSettings {
  readonly cacheDir: string;
  /** Share of the images, in 0..1, that may be broken. Default 0. */
  readonly maxBrokenShare?: number;
  /** What else to do about broken images, for messages. Default: to raise `maxBrokenShare`. */
  readonly advice?: string;
  /** Images read or decoded concurrently. Default: the number of cores, at least 8, so that file reads overlap. */
  readonly concurrency?: number;
}

/** Incremented whenever the cache layout or the decoding of pixels changes. */
const FORMAT_VERSION = 2;

/**
 * Decodes and resizes images once into a file of bytes [entries, imageSize, imageSize, 3] and opens it. The cache key is
 * the SHA-256 of the settings and every file's content, in order: moved images are a cache hit, a changed byte is a miss.
 * The cache is written to a temporary folder, flushed to disk and renamed when complete, so a killed run leaves no partial
 * cache; of two processes that make the same one, the first to end wins. Pixels are checked as they are read.
 *
 * @throws UserError for an empty list, more broken images than `maxBrokenShare` allows, or a failed write
 */
export async function packImages(entries: readonly ImageEntry[], options: PackOptions): Promise<PackedImages> {
  if (entries.length === 0) throw new UserError('empty dataset: expected at least one image, got none');
  const { imageSize, resize, background, maxImagePixels, cacheDir, maxBrokenShare = 0 } = options;
  const concurrency = options.concurrency ?? Math.max(8, availableParallelism());
  const { hashes, remember } = await contentHashes(entries, cacheDir, concurrency, largestFile(options));
  const pixels = { imageSize, resize, background, maxImagePixels };
  const settings = { formatVersion: FORMAT_VERSION, decoder: DECODER_VERSION, ...pixels };
  const folder = join(cacheDir, sha256(Buffer.from(JSON.stringify({ settings, hashes }))));

  let index = readPackIndex(folder, entries.length, imageSize);
  if (index === undefined) {
    await writePack(folder, entries, hashes, { ...options, maxBrokenShare, concurrency });
    index = readPackIndex(folder, entries.length, imageSize);
    if (index === undefined) throw new RunError(`image cache ${folder}: removed by another process; run again`);
  }
  checkBroken(entries, index.broken, options);
  remember();
  return openPack(folder, entries, index);
}

async function writePack(
  folder: string,
  entries: readonly ImageEntry[],
  hashes: readonly string[],
  options: PackOptions & { maxBrokenShare: number; concurrency: number },
): Promise<void> {
  const { imageSize } = options;
  const report = startWork('decoding images', entries.length, 'images');
  const bytesPerImage = imageSize * imageSize * 3;
  const broken: BrokenSlot[] = [];
  const what = `image cache ${folder}`;
  clearLeftovers(options.cacheDir);
  const draft = draftFolder(folder, what);
  const path = join(draft.path, 'images.bin');
  let descriptor: number | undefined;
  try {
    const file = openSync(path, 'wx');
    descriptor = file;
    // Every entry has a fixed slot, so images can finish in any order; the slot of a broken image stays zero.
    ftruncateSync(file, entries.length * bytesPerImage);
    let done = 0;
    await forEachConcurrently(entries.length, options.concurrency, async (slot) => {
      const outcome = await decodeEntry(entries[slot], hashes[slot], options);
      if (typeof outcome === 'string') broken.push({ slot, reason: outcome });
      else writeFully(file, outcome, slot * bytesPerImage);
      report(++done);
    });
    broken.sort((a, b) => a.slot - b.slot);
    checkBroken(entries, broken, options);
    fsyncSync(file);
    closeSync(file);
    descriptor = undefined;
    const index = { count: entries.length, imageSize, decoder: DECODER_VERSION, broken, digests: chunkDigests(path) };
    writeSealedJson(join(draft.path, 'index.json'), index);
    publishEntry(draft, folder, () => readPackIndex(folder, entries.length, imageSize) !== undefined);
  } catch (error) {
    throw writeFailure(what, error);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
    draft.discard();
  }
}

/** The pixels, or the reason why decoding failed. */
async function decodeEntry(entry: ImageEntry, hash: string, settings: DecodeSettings): Promise<Uint8Array | string> {
  try {
    return await withFileBytes(entry, largestFile(settings), async (bytes) => {
      // The cache is named after the hashes: caching bytes other than the hashed ones would give wrong cache hits.
      if (sha256(bytes) !== hash)
        throw new RunError(`image ${entry.path}: changed while it was being packed; run again`);
      return await decodeImage(bytes, settings);
    });
  } catch (error) {
    if (error instanceof RunError) throw error;
    return systemErrorWords(error);
  }
}

function checkBroken(
  entries: readonly ImageEntry[],
  broken: readonly BrokenSlot[],
  { maxBrokenShare = 0, advice = 'raise maxBrokenShare' }: PackOptions,
): void {
  const tooMany = broken.length > maxBrokenShare * entries.length;
  if (!tooMany && broken.length < entries.length) return;
  const shown = broken.slice(0, 5).map(({ slot, reason }) => `${entries[slot].path}: ${reason}`);
  if (broken.length > shown.length) shown.push(`and ${broken.length - shown.length} more`);
  const allowed = tooMany ? `more than maxBrokenShare ${maxBrokenShare} allows` : 'none is left';
  const count = `${broken.length} of ${entries.length} image${entries.length === 1 ? '' : 's'} broken`;
  const remedy = tooMany ? `repair or remove them, or ${advice}` : 'repair or replace them';
  throw new UserError(`${count}, ${allowed} (${remedy}): ${shown.map(printable).join('; ')}`);
}

function writeFully(descriptor: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(descriptor, bytes, done, bytes.length - done, position + done);
  }
}
