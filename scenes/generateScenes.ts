import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Output } from '#src/cli';
import { UserError } from '#src/errors';
import { createRandom } from '#src/random';
import { readJson, writeFailure, writeFileAtomic, writeJsonAtomic } from '#src/storage';
import { languageSentence } from './languageSentence.js';
import { sampleScene } from './sampleScene.js';
import { IMAGE_SPLITS, LANGUAGE_SPLITS } from './sceneSplits.js';
import type { ScenesConfig } from './scenesConfig.js';
import { writeImageSplit } from './writeImageSplit.js';

/** Raised whenever equal settings give other pixels, labels or texts than before; how PNGs are packed is left out. */
const SCENES_FORMAT_VERSION = 1;

const FORMAT_NAME = 'tokenfuse scenes';

/** `dataset.json`, written last: where it is, the data are whole. */
interface DatasetJson {
  readonly format: typeof FORMAT_NAME;
  readonly formatVersion: number;
  readonly seed: number;
  readonly counts: ScenesConfig['counts'];
  readonly config: ScenesConfig;
}

export interface GeneratedScenes {
  readonly path: string;
  /** False when the folder already held exactly these data. */
  readonly generated: boolean;
  readonly images: number;
  readonly sentences: number;
}

/**
 * Writes the scene data: `vision/{train,val}/` (images with labels), `language/{train,val}.txt`, `pairs/{train,val}/`,
 * `test_seen/`, `test_heldout/`, `test_disagree_seen/`, `test_disagree_heldout/` (images with captions and scenes), and
 * `dataset.json`. Equal settings give equal bytes. All is written aside and renamed; data of other settings are replaced,
 * data of the same settings kept.
 *
 * @throws UserError when the folder holds something else, or the disk refuses
 */
export async function generateScenes(
  config: ScenesConfig,
  outDir: string,
  output?: Pick<Output, 'line'>,
): Promise<GeneratedScenes> {
  const path = resolve(outDir);
  const dataset: DatasetJson = {
    format: FORMAT_NAME,
    formatVersion: SCENES_FORMAT_VERSION,
    seed: config.seed,
    counts: config.counts,
    config,
  };
  const images = IMAGE_SPLITS.reduce((total, { count }) => total + config.counts[count], 0);
  const sentences = LANGUAGE_SPLITS.reduce((total, { count }) => total + config.counts[count], 0);
  const present = datasetIn(path);
  if (isDeepStrictEqual(present, JSON.parse(JSON.stringify(dataset)))) {
    output?.line(`scenes: ${outDir} is complete (${images} images, ${sentences} sentences)`);
    return { path, generated: false, images, sentences };
  }
  if (present !== undefined) output?.line(`scenes: ${outDir} was made with other settings and is made again`);

  const aside = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  const startedAt = performance.now();
  try {
    mkdirSync(aside, { recursive: true });
    for (const { file, count } of LANGUAGE_SPLITS) {
      writeFileAtomic(join(aside, file), sentencesOf(config, file, config.counts[count]));
    }
    for (const split of IMAGE_SPLITS) {
      await writeImageSplit(config, split, join(aside, split.folder));
      output?.line(`scenes: ${split.folder} ${config.counts[split.count]} images`);
    }
    writeJsonAtomic(join(aside, 'dataset.json'), dataset);
    moveIntoPlace(aside, path);
  } catch (error) {
    if (existsSync(aside)) rmSync(aside, { recursive: true });
    throw writeFailure(`scenes to ${outDir}`, error);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  output?.line(
    `scenes: ${images} images and ${sentences} sentences in ${seconds.toFixed(1)} s ` +
      `(${Math.round(images / seconds)} images/s) in ${outDir}`,
  );
  return { path, generated: true, images, sentences };
}

/** The `dataset.json` of a folder; undefined when there is no folder or it is empty. */
function datasetIn(path: string): unknown {
  if (!existsSync(path)) return undefined;
  if (!statSync(path).isDirectory()) throw new UserError(`scenes: expected a folder, got the file ${path}`);
  const file = join(path, 'dataset.json');
  const present = existsSync(file) ? (readJson(file, 'scene data') as Partial<DatasetJson> | null) : undefined;
  if (present?.format === FORMAT_NAME) return present;
  if (present === undefined && readdirSync(path).length === 0) return undefined;
  throw new UserError(
    `scenes: expected ${path} to be new, empty or scene data, got a folder with other files; name another one`,
  );
}

/** Puts a finished folder where an older one, or an empty one, may be. */
function moveIntoPlace(aside: string, path: string): void {
  const old = `${aside}.old`;
  if (existsSync(path)) renameSync(path, old);
  renameSync(aside, path);
  rmSync(old, { recursive: true, force: true });
}

/** One sentence per line, about scenes of all combinations that no image shows. */
function sentencesOf(config: ScenesConfig, file: string, count: number): string {
  let text = '';
  for (let i = 0; i < count; i++) {
    const random = createRandom(config.seed, 'sentence', file, i);
    text += `${languageSentence(sampleScene(random, config, 'all'), random)}\n`;
  }
  return text;
}
