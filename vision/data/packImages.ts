import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { availableParallelism, hostname } from 'node:os';
import { join } from 'node:path';
import { contentHashes, forEachConcurrently, withFileBytes } from '#src/data';
import { printable, RunError, UserError } from '#src/errors';
import { sha256, systemErrorWords, writeFailure, writeJsonAtomic } from '#src/storage';
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
  readonly onProgress?: (done: number, total: number) => void;
}

/** Incremented whenever the cache layout or the decoding of pixels changes. */
const FORMAT_VERSION = 2;

/**
 * Decodes and resizes images once into a file of bytes [entries, imageSize, imageSize, 3] and opens it. The cache key is
 * the SHA-256 of the settings and every file's content, in order: moved images are a cache hit, a changed byte is a miss.
 * The cache is written to a temporary folder and renamed when complete, so a killed run leaves no partial cache.
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
  return openPack(folder, entries, imageSize, index.broken);
}

async function writePack(
  folder: string,
  entries: readonly ImageEntry[],
  hashes: readonly string[],
  options: PackOptions & { maxBrokenShare: number; concurrency: number },
): Promise<void> {
  const { imageSize, onProgress } = options;
  const bytesPerImage = imageSize * imageSize * 3;
  const broken: BrokenSlot[] = [];
  const host = sha256(Buffer.from(hostname())).slice(0, 8);
  const aside = `${folder}.${host}-${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  let descriptor: number | undefined;
  let made = false;
  try {
    mkdirSync(aside, { recursive: true });
    made = true;
    removeAbandoned(options.cacheDir, host);
    const file = openSync(join(aside, 'images.bin'), 'wx');
    descriptor = file;
    // Every entry has a fixed slot, so images can finish in any order; the slot of a broken image stays zero.
    ftruncateSync(file, entries.length * bytesPerImage);
    let done = 0;
    await forEachConcurrently(entries.length, options.concurrency, async (slot) => {
      const outcome = await decodeEntry(entries[slot], hashes[slot], options);
      if (typeof outcome === 'string') broken.push({ slot, reason: outcome });
      else writeFully(file, outcome, slot * bytesPerImage);
      onProgress?.(++done, entries.length);
    });
    broken.sort((a, b) => a.slot - b.slot);
    checkBroken(entries, broken, options);
    fsyncSync(file);
    closeSync(file);
    descriptor = undefined;
    writeJsonAtomic(join(aside, 'index.json'), { count: entries.length, imageSize, decoder: DECODER_VERSION, broken });
    moveIntoPlace(aside, folder, () => readPackIndex(folder, entries.length, imageSize) !== undefined);
  } catch (error) {
    throw writeFailure(`image cache ${folder}`, error);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
    if (made) rmSync(aside, { recursive: true, force: true });
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

function moveIntoPlace(aside: string, folder: string, isComplete: () => boolean): void {
  try {
    renameSync(aside, folder);
  } catch {
    // Another process was faster, or an older cache lost a file.
    if (isComplete()) return;
    rmSync(folder, { recursive: true, force: true });
    renameSync(aside, folder);
  }
}

/** Removes temporary folders of packing processes on this host that were killed. */
function removeAbandoned(cacheDir: string, host: string): void {
  for (const name of readdirSync(cacheDir)) {
    const [, owner, pid] = name.match(/^[0-9a-f]{64}\.([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.tmp$/) ?? [];
    if (owner === host && !isAlive(Number(pid))) rmSync(join(cacheDir, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
