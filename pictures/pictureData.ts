import { existsSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { UserError } from '#src/errors';
import {
  draftFolder,
  inOutputEntry,
  type OutputOptions,
  readBytes,
  readSealedJson,
  sha256,
  writeFailure,
  writeFileAtomic,
  writeSealedJson,
} from '#src/storage';
import { drawPictures } from './drawPictures.js';
import { lookUpShare } from './lookUp.js';
import type { DrawnPicture, PictureSource } from './picture.js';
import { captionsJson, categoriesOf, inDrawnOrder, labelsJson } from './pictureJson.js';
import type { PictureRecord, PictureSetRecord } from './pictureRecord.js';
import { RENDERER_VERSION, type RenderSettings } from './renderPicture.js';
import { sourcesPage } from './sourcesPage.js';

/** Raised whenever equal settings give other data than before. */
const FORMAT_VERSION = 1;

/** The record of a folder of pictures, written last. */
const RECORD = 'SOURCES.json';

export interface PictureDataOptions extends Pick<OutputOptions, 'overwrite' | 'say'>, Omit<RenderSettings, 'trim'> {
  /** Draws the order of the pictures in each set. */
  readonly seed: number;
}

export interface PictureData extends PictureRecord {
  readonly path: string;
  /** False when the folder already held exactly this. */
  readonly written: boolean;
}

/**
 * Draws a source's pictures and writes them in sets: `images/<name>.png`, `captions_<set>.json` (COCO captions, images beside
 * it), `labels_train.json` and `labels_val.json` where there are labels, licences, SOURCES.json and SOURCES.md. Equal packages
 * and settings give equal bytes. Pictures that cannot be drawn are listed and left out.
 *
 * @throws ConfigError when the folder holds something else; RunError when the disk refuses
 */
export async function writePictureData(
  source: PictureSource,
  outDir: string,
  { seed, size, background, overwrite, say }: PictureDataOptions,
): Promise<PictureData> {
  const path = resolve(outDir);
  const settings = {
    ...{ formatVersion: FORMAT_VERSION, renderer: RENDERER_VERSION, seed, size, background: [...background] },
    source: source.settings,
  };
  const isOwn = (): boolean => {
    const record = recordIn(path);
    if (record === undefined || !isDeepStrictEqual(record.settings, JSON.parse(JSON.stringify(settings)))) return false;
    return record.sets.every((set) => isWhole(path, set));
  };
  return inOutputEntry(path, { overwrite, isOwn, say }, async ({ continues }) => {
    if (continues) return { path, written: false, ...(recordIn(path) as PictureRecord) };
    const draft = draftFolder(path);
    try {
      const render = { size, background, trim: source.trim };
      const { drawn, broken } = await drawPictures(source.pictures, join(draft.path, 'images'), render);
      const { sets, leftOut } = source.split(drawn);
      requireTraining(sets, source);
      removeUnused(drawn, sets, draft.path);
      const record: PictureRecord = {
        settings,
        title: source.title,
        origins: source.origins.map(({ licenceText: _, ...origin }) => origin),
        sets: writeSets(draft.path, sets, source.title, seed),
        leftOut: { ...source.leftOut, ...leftOut },
        broken,
      };
      for (const { package: name, licenceText } of source.origins) {
        if (licenceText) writeFileAtomic(join(draft.path, `LICENCE-${name.replace(/\W+/g, '-')}.txt`), licenceText);
      }
      writeFileAtomic(join(draft.path, 'SOURCES.md'), sourcesPage(record));
      writeSealedJson(join(draft.path, RECORD), record);
      draft.publish();
      return { path, written: true, ...record };
    } catch (error) {
      throw writeFailure(`pictures to ${outDir}`, error);
    } finally {
      draft.discard();
    }
  });
}

/** The record in a folder; its seal says that it is one. @throws UserError when it was edited */
function recordIn(path: string): PictureRecord | undefined {
  const file = join(path, RECORD);
  if (!existsSync(file)) return undefined;
  const record = readSealedJson(file, 'record of pictures');
  return 'settings' in record && 'sets' in record ? (record as PictureRecord) : undefined;
}

/** Whether a set's captions are as they were written, and its pictures are there. */
function isWhole(folder: string, { path, sha256: digest }: PictureSetRecord): boolean {
  const file = join(folder, path);
  if (!existsSync(file)) return false;
  const bytes = readBytes(file, 'captions');
  if (sha256(bytes) !== digest) return false;
  const { images } = JSON.parse(bytes.toString()) as { images: { file_name: string }[] };
  return images.every(({ file_name: name }) => existsSync(join(folder, 'images', name)));
}

function requireTraining(sets: ReadonlyMap<string, readonly DrawnPicture[]>, { title }: PictureSource): void {
  if ((sets.get('train')?.length ?? 0) > 0) return;
  throw new UserError(`${title}: expected pictures to train on, got none: the packages hold too few`);
}

/** No set has them, and a folder of all images must not hold more than the sets. */
function removeUnused(
  drawn: readonly DrawnPicture[],
  sets: ReadonlyMap<string, readonly DrawnPicture[]>,
  folder: string,
): void {
  const used = new Set([...sets.values()].flat().map(({ name }) => name));
  for (const { name } of drawn) if (!used.has(name)) rmSync(join(folder, 'images', `${name}.png`));
}

function writeSets(
  folder: string,
  sets: ReadonlyMap<string, readonly DrawnPicture[]>,
  title: string,
  seed: number,
): PictureSetRecord[] {
  const names = [...sets.values()].flat().map(({ name }) => name);
  const ids = new Map(names.sort().map((name, i) => [name, i + 1]));
  const idOf = ({ name }: DrawnPicture): number => ids.get(name) as number;
  const training = sets.get('train') as readonly DrawnPicture[];
  const categories = categoriesOf(training);
  return [...sets].map(([name, members]) => {
    const pictures = inDrawnOrder(members, name, seed);
    const path = `captions_${name}.json`;
    const bytes = Buffer.from(JSON.stringify(captionsJson(pictures, idOf, `${title}, ${name}`)));
    writeFileAtomic(join(folder, path), bytes);
    if (categories.length > 0 && (name === 'train' || name === 'val')) {
      writeFileAtomic(join(folder, `labels_${name}.json`), JSON.stringify(labelsJson(pictures, categories, idOf)));
    }
    return {
      ...{ name, path, pictures: pictures.length, captions: pictures.flatMap(({ captions }) => captions).length },
      sha256: sha256(bytes),
      ...(name === 'train' ? {} : { lookUp: lookUpShare(name, pictures, training) }),
    };
  });
}
