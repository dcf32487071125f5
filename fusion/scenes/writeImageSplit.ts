import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createRandom } from '#src/random';
import { writeFileAtomic } from '#src/storage';
import { captionScene } from './captionScene.js';
import { renderScene } from './renderScene.js';
import type { SceneRecord } from './scene.js';
import { type ImageSplit, sceneOfSplit } from './sceneSplits.js';
import type { ScenesConfig } from './scenesConfig.js';
import { visionLabels } from './visionLabels.js';

/** Pictures drawn or written at a time: enough to keep libuv's four threads busy, few enough to hold in memory. */
const IN_FLIGHT = 8;

/**
 * Writes one folder: `images/`, and `labels.json` or `captions.json` (COCO captions) with `scenes.json`.
 *
 * @param dir the folder of the split
 */
export async function writeImageSplit(config: ScenesConfig, split: ImageSplit, dir: string): Promise<void> {
  const records: SceneRecord[] = [];
  await mkdir(join(dir, 'images'), { recursive: true });
  const count = config.counts[split.count];
  const digits = Math.max(6, String(count).length);
  let next = 0;
  const work = async () => {
    while (next < count) {
      const index = next++;
      const fileName = `${String(index + 1).padStart(digits, '0')}.png`;
      const scene = sceneOfSplit(config, split, index);
      records[index] = { id: index + 1, fileName, ...scene };
      await writeFile(join(dir, 'images', fileName), await renderScene(scene));
    }
  };
  // Wait for all of them even when one fails: the caller may only clear the folder once nobody writes to it.
  const outcomes = await Promise.allSettled(Array.from({ length: IN_FLIGHT }, work));
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed) throw failed.reason;

  if (split.annotations === 'labels') {
    writeJson(join(dir, 'labels.json'), visionLabels(records, config.imageSize / config.patchSize));
  } else {
    writeJson(join(dir, 'captions.json'), captionsJson(config, split, records));
    writeJson(join(dir, 'scenes.json'), { scenes: records });
  }
}

/** The COCO captions layout. Source: https://cocodataset.org/#format-data. */
function captionsJson(config: ScenesConfig, split: ImageSplit, records: readonly SceneRecord[]): unknown {
  const { captionsPerImage, imageSize, seed } = config;
  return {
    info: { description: `scenes, ${split.folder}, seed ${seed}` },
    licenses: [],
    images: records.map(({ id, fileName }) => ({ id, file_name: fileName, width: imageSize, height: imageSize })),
    annotations: records.flatMap((record) => {
      const random = createRandom(seed, 'captions', split.folder, record.id);
      return Array.from({ length: captionsPerImage }, (_, k) => ({
        id: (record.id - 1) * captionsPerImage + k + 1,
        image_id: record.id,
        caption: captionScene(record, random, record.disagreement),
      }));
    }),
  };
}

/** Compact: indented, the labels of a large corpus would be mostly spaces. */
function writeJson(path: string, value: unknown): void {
  writeFileAtomic(path, JSON.stringify(value));
}
