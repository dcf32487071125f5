import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRandom } from '#src/random';
import { flushFiles, makeFolder, writeFileAtomic } from '#src/storage';
import { startWork } from '#src/tracking';
import { captionScene } from './captionScene.js';
import { encodePng } from './encodePng.js';
import { renderScenes, scenesPerSheet } from './renderScenes.js';
import type { SceneRecord } from './scene.js';
import { type ImageSplit, sceneOfSplit } from './sceneSplits.js';
import type { ScenesConfig } from './scenesConfig.js';
import { visionLabels } from './visionLabels.js';

/** Sheets drawn at a time: enough to keep libuv's four threads busy while this one encodes, few enough to hold in memory. */
const IN_FLIGHT = 4;

/**
 * Writes one folder: `images/`, and `labels.json` or `captions.json` (COCO captions) with `scenes.json`.
 *
 * @param dir the folder of the split
 */
export async function writeImageSplit(config: ScenesConfig, split: ImageSplit, dir: string): Promise<void> {
  const records: SceneRecord[] = [];
  makeFolder(join(dir, 'images'));
  const { imageSize } = config;
  const count = config.counts[split.count];
  const digits = Math.max(6, String(count).length);
  const perSheet = scenesPerSheet(imageSize);
  const report = startWork(`scenes ${split.folder}`, count, 'images');
  let next = 0;
  let done = 0;
  const work = async () => {
    while (next < count) {
      const first = next;
      next = Math.min(count, first + perSheet);
      const sheet = Array.from({ length: next - first }, (_, i): SceneRecord => {
        const fileName = `${String(first + i + 1).padStart(digits, '0')}.png`;
        return { id: first + i + 1, fileName, ...sceneOfSplit(config, split, first + i) };
      });
      const pictures = await renderScenes(sheet);
      sheet.forEach((record, i) => {
        records[first + i] = record;
        // Written by this thread: handing so small a file to another takes twice as long.
        writeFileSync(join(dir, 'images', record.fileName), encodePng(pictures[i], imageSize, imageSize));
      });
      done += sheet.length;
      report(done);
    }
  };
  // Wait for all of them even when one fails: the caller clears the folder, and nobody may still write to it.
  const outcomes = await Promise.allSettled(Array.from({ length: IN_FLIGHT }, work));
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed) throw failed.reason;
  await flushFiles(records.map(({ fileName }) => join(dir, 'images', fileName)));

  if (split.annotations === 'labels') {
    writeJson(join(dir, 'labels.json'), visionLabels(records, imageSize / config.patchSize));
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
