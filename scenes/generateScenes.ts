import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Output } from '#src/cli';
import { createRandom } from '#src/random';
import { draftFolder, inOutputEntry, readJson, writeFailure, writeFileAtomic, writeJsonAtomic } from '#src/storage';
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
 * `dataset.json`. Equal settings give equal bytes. All is written aside, flushed to disk and renamed; data of the same settings
 * are kept.
 *
 * @param options.overwrite moves anything else at that place aside
 * @throws ConfigError when the folder holds something else; RunError when the disk refuses
 */
export async function generateScenes(
  config: ScenesConfig,
  outDir: string,
  { output, overwrite }: { readonly output?: Pick<Output, 'line'>; readonly overwrite?: boolean } = {},
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
  const isOwn = (): boolean => isDeepStrictEqual(datasetIn(path), JSON.parse(JSON.stringify(dataset)));
  return inOutputEntry(path, { overwrite, isOwn, say: output?.line }, async ({ continues }) => {
    if (continues) {
      output?.line(`scenes: ${outDir} is complete (${images} images, ${sentences} sentences)`);
      return { path, generated: false, images, sentences };
    }
    const draft = draftFolder(path);
    const startedAt = performance.now();
    try {
      for (const { file, count } of LANGUAGE_SPLITS) {
        writeFileAtomic(join(draft.path, file), sentencesOf(config, file, config.counts[count]));
      }
      for (const split of IMAGE_SPLITS) {
        await writeImageSplit(config, split, join(draft.path, split.folder));
        output?.line(`scenes: ${split.folder} ${config.counts[split.count]} images`);
      }
      writeJsonAtomic(join(draft.path, 'dataset.json'), dataset);
      draft.publish();
    } catch (error) {
      throw writeFailure(`scenes to ${outDir}`, error);
    } finally {
      draft.discard();
    }
    const seconds = (performance.now() - startedAt) / 1000;
    output?.line(
      `scenes: ${images} images and ${sentences} sentences in ${seconds.toFixed(1)} s ` +
        `(${Math.round(images / seconds)} images/s) in ${outDir}`,
    );
    return { path, generated: true, images, sentences };
  });
}

/** The `dataset.json` of a folder; undefined when it has none. */
function datasetIn(path: string): unknown {
  const file = join(path, 'dataset.json');
  if (!existsSync(file)) return undefined;
  return readJson(file, 'scene data');
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
