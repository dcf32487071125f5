import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  COMBINATIONS,
  disagreements,
  generateScenes,
  IMAGE_SPLITS,
  type SceneRecord,
  ScenesConfig,
  type VisionLabels,
} from '#scenes';
import { sha256 } from '#src/storage';
import { sceneScores } from './sceneScores.js';

const config = ScenesConfig.parse({
  seed: 4,
  captionsPerImage: 3,
  counts: {
    visionTrain: 150,
    visionVal: 10,
    languageTrain: 400,
    languageVal: 20,
    pairsTrain: 150,
    pairsVal: 10,
    testSeen: 30,
    testHeldOut: 30,
    testDisagreeSeen: 30,
    testDisagreeHeldOut: 30,
  },
});

interface CaptionsJson {
  images: { id: number; file_name: string; width: number; height: number }[];
  annotations: { id: number; image_id: number; caption: string }[];
}

const root = mkdtempSync(join(tmpdir(), 'scenes-'));
const data = join(root, 'data');
const json = (...path: string[]) => JSON.parse(readFileSync(join(data, ...path), 'utf8'));
const scenesOf = (folder: string): SceneRecord[] => json(folder, 'scenes.json').scenes;

function filesOf(dir: string): Map<string, string> {
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = entries.map((entry) => join(entry.parentPath, entry.name)).sort();
  return new Map(paths.map((path) => [relative(dir, path), sha256(readFileSync(path))]));
}

beforeAll(async () => {
  expect(await generateScenes(config, data)).toMatchObject({ generated: true, images: 440, sentences: 420 });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('generateScenes', () => {
  it('writes the folders that the loaders read, and leaves nothing aside', () => {
    expect(readdirSync(root)).toEqual(['data']);
    for (const { folder, count } of IMAGE_SPLITS) {
      expect(readdirSync(join(data, folder, 'images'))).toHaveLength(config.counts[count]);
    }
    expect(readdirSync(join(data, 'vision/train')).sort()).toEqual(['images', 'labels.json']);
    expect(readdirSync(join(data, 'pairs/train')).sort()).toEqual(['captions.json', 'images', 'scenes.json']);
    expect(json('dataset.json')).toMatchObject({ seed: 4, counts: config.counts, config });
  });

  it('writes images of the stated size under the stated names', async () => {
    for (const folder of ['vision/val', 'pairs/val']) {
      const { images } = json(folder, folder.startsWith('vision') ? 'labels.json' : 'captions.json') as CaptionsJson;
      for (const { file_name, width, height } of images) {
        const metadata = await sharp(join(data, folder, 'images', file_name)).metadata();
        expect(metadata).toMatchObject({ format: 'png', width, height, channels: 3 });
      }
    }
  });

  it('labels what the images show', () => {
    const labels = json('vision/train', 'labels.json') as VisionLabels;
    expect(labels.categories).toHaveLength(48 + 16 + 12);
    expect(labels.categories.slice(0, 48).map(({ name }) => name)).toEqual(COMBINATIONS.map(({ name }) => name));
    expect(labels.grid).toMatchObject({ rows: 4, cols: 4 });
    for (const { id, cells } of labels.images) {
      expect(cells).toHaveLength(4 * 4 * 3);
      const names = labels.annotations
        .filter(({ image_id }) => image_id === id)
        .map(({ category_id }) => labels.categories.find((category) => category.id === category_id)?.name);
      const seen = new Set<string>();
      for (let i = 0; i < cells.length; i += 3) {
        if (cells[i] === 0) continue;
        const [colour, shape, size] = [0, 1, 2].map((k) => labels.grid.attributes[k].values[cells[i + k]]);
        for (const name of [`${colour} ${shape}`, `${size} ${colour}`, `${size} ${shape}`]) seen.add(name);
      }
      expect(new Set(names)).toEqual(seen);
      expect(names).toHaveLength(seen.size);
    }
  });

  it('holds the combinations out of every caption pair for alignment, and of nothing else', () => {
    const names = (folder: string) =>
      scenesOf(folder).map(({ objects }) => objects.map(({ colour, shape }) => `${colour} ${shape}`));
    const heldOutIn = (objects: string[]) => objects.filter((name) => config.heldOut.includes(name)).length;
    for (const folder of ['pairs/train', 'pairs/val', 'test_seen', 'test_disagree_seen']) {
      for (const objects of names(folder)) expect(heldOutIn(objects)).toBe(0);
    }
    for (const folder of ['test_heldout', 'test_disagree_heldout']) {
      for (const objects of names(folder)) expect(heldOutIn(objects)).toBeGreaterThan(0);
    }
    for (const { caption } of (json('pairs/train', 'captions.json') as CaptionsJson).annotations) {
      for (const name of config.heldOut) expect(caption).not.toContain(name);
    }
    const sentences = readFileSync(join(data, 'language/train.txt'), 'utf8');
    const labels = json('vision/train', 'labels.json') as VisionLabels;
    for (const name of config.heldOut) {
      expect(sentences).toContain(name);
      const category = labels.categories.find((candidate) => candidate.name === name)?.id;
      expect(labels.annotations.some(({ category_id }) => category_id === category)).toBe(true);
    }
  });

  it('captions every image several times, truly', () => {
    for (const { folder } of IMAGE_SPLITS.filter(({ annotations }) => annotations === 'captions')) {
      const { images, annotations } = json(folder, 'captions.json') as CaptionsJson;
      const scenes = scenesOf(folder);
      expect(images.map(({ id, file_name }) => [id, file_name])).toEqual(scenes.map((s) => [s.id, s.fileName]));
      expect(annotations).toHaveLength(3 * images.length);
      expect(new Set(annotations.map(({ id }) => id)).size).toBe(annotations.length);
      const result = sceneScores(
        annotations.map(({ caption }) => caption),
        annotations.map(({ image_id }) => scenes[image_id - 1]),
      );
      expect(result.shares.exactScene).toBe(1);
    }
  });

  it('makes disagree sets that the first object alone never answers', () => {
    for (const folder of ['test_disagree_seen', 'test_disagree_heldout']) {
      const scenes = scenesOf(folder);
      const { annotations } = json(folder, 'captions.json') as CaptionsJson;
      for (const scene of scenes) {
        expect(scene.objects).toHaveLength(2);
        expect(disagreements(scene)).toContainEqual(scene.disagreement);
      }
      const result = sceneScores(
        annotations.map(({ caption }) => caption),
        annotations.map(({ image_id }) => scenes[image_id - 1]),
      );
      expect(result.counts.relationsDisagree).toBe(annotations.length);
      expect(result.shares.relationDisagree).toBe(1);
    }
  });

  it('writes one sentence per line', () => {
    const lines = readFileSync(join(data, 'language/val.txt'), 'utf8').split('\n');
    expect(lines).toHaveLength(21);
    expect(lines.pop()).toBe('');
    for (const line of lines) expect(line).toMatch(/^[a-z]+( ([a-z]+|,))*$/);
  });

  it('gives the same bytes for the same settings, and others for another seed', async () => {
    const again = join(root, 'again');
    await generateScenes(config, again);
    expect(filesOf(again)).toEqual(filesOf(data));
    await generateScenes({ ...config, seed: 5 }, again, { overwrite: true });
    expect(filesOf(again).get('language/val.txt')).not.toBe(filesOf(data).get('language/val.txt'));
    expect(filesOf(again).get('test_seen/images/000001.png')).not.toBe(
      filesOf(data).get('test_seen/images/000001.png'),
    );
    expect(filesOf(`${again}.old-1`)).toEqual(filesOf(data));
    rmSync(again, { recursive: true });
    rmSync(`${again}.old-1`, { recursive: true });
  });

  it('refuses data of other settings, which it would replace', async () => {
    await expect(generateScenes({ ...config, seed: 5 }, data)).rejects.toThrow(/got scene data; .*--overwrite/);
  });

  it('keeps data of the same settings and says so', async () => {
    const lines: string[] = [];
    const marker = join(data, 'marker');
    writeFileSync(marker, '');
    const result = await generateScenes(config, data, { output: { line: (text = '') => void lines.push(text) } });
    expect(result.generated).toBe(false);
    expect(lines.join()).toMatch(/complete/);
    expect(existsSync(marker)).toBe(true);
    rmSync(marker);
  });

  it('refuses a folder with other files, or a file, and touches nothing', async () => {
    const foreign = mkdtempSync(join(root, 'foreign-'));
    writeFileSync(join(foreign, 'thesis.txt'), 'precious');
    await expect(generateScenes(config, foreign)).rejects.toThrow(
      /expected a new or empty place, got a folder with thesis\.txt/,
    );
    await expect(generateScenes(config, join(foreign, 'thesis.txt'))).rejects.toThrow(/got a file/);
    await expect(generateScenes(config, join(foreign, 'thesis.txt', 'data'))).rejects.toThrow(
      /cannot make folder .*thesis\.txt is not a folder/,
    );
    writeFileSync(join(foreign, 'dataset.json'), '{"format":"something else"}');
    await expect(generateScenes(config, foreign)).rejects.toThrow(/expected a new or empty place/);
    expect(readdirSync(foreign).sort()).toEqual(['dataset.json', 'thesis.txt']);
    rmSync(foreign, { recursive: true });
  });
});
