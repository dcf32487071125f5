import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { listImageArguments } from '#captions/formats';
import { captionImageFiles, loadJointModel } from '#fusion';
import { Decoding } from '#language';
import type { KnownPicture } from '../../bench/serving/serveLoad.js';
import { writeTinyBackbones } from './tinyBackbones.js';
import { writeTinyCaptions } from './tinyCaptions.js';
import { mergeTiny } from './tinyJointModel.js';

/** A token for tests of servers. */
export const SERVICE_TOKEN = 'a-token-of-these-tests';

/** Tokens of its captions. */
export const SERVICE_TOKENS = 6;

/**
 * Writes what `tokenfuse serve` needs into a folder: `merged`, `language`, `vision`, `images`, `token`.
 *
 * @returns the pictures with their captions by `tokenfuse caption`, on the engine that is active
 */
export async function writeTinyService(folder: string): Promise<KnownPicture[]> {
  writeTinyBackbones(folder);
  const model = loadJointModel(mergeTiny(folder));
  await writeTinyCaptions(folder);
  writeFileSync(join(folder, 'token'), SERVICE_TOKEN);
  const { images } = listImageArguments([join(folder, 'images')]);
  const pictures: KnownPicture[] = [];
  const decoding = Decoding.parse({ method: 'greedy', maxTokens: SERVICE_TOKENS });
  for await (const batch of captionImageFiles(model, images, { decoding, batchSize: 32 })) {
    for (const { image, candidates } of batch) {
      pictures.push({ name: image.fileName, bytes: readFileSync(image.path), caption: candidates[0].caption });
    }
  }
  model.dispose();
  return pictures;
}
