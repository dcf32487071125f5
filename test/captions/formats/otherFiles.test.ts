/** @file Files that look like captions or predictions and are something else. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listImages, loadCaptions, readPredictions, refuseOtherPredictions } from '#captions/formats';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { userErrorLine } from '../../support/thrown.js';

function write(value: unknown, name = 'file.json', folder = temporaryFolder()): string {
  const path = join(folder, name);
  writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value));
  writeFileSync(join(folder, 'a.jpg'), '');
  return path;
}

const images = [{ id: 4, file_name: 'a.jpg' }];
const labels = { images, annotations: [{ image_id: 4, category_id: 18, bbox: [0, 0, 1, 1] }], categories: [] };

describe('a list of images without captions', () => {
  it.each([
    ['no annotations', { images }],
    ['an empty array of annotations', { images, annotations: [] }],
    ['labels of objects', labels],
  ])('with %s can be captioned', (_, value) => {
    expect(listImages(write(value)).map(({ id, fileName }) => [id, fileName])).toEqual([[4, 'a.jpg']]);
    const nocaps = write({ images: [{ ...images[0], domain: 'in-domain' }] });
    expect(listImages(`{format: nocaps, path: ${nocaps}, domain: in-domain}`)).toHaveLength(1);
  });

  it('is refused where captions are needed, saying why', () => {
    expect(userErrorLine(() => loadCaptions(write({ images })))).toContain(
      'annotations: expected an array of captions, got nothing: a list of images alone can be captioned',
    );
    expect(userErrorLine(() => loadCaptions(write({ images, annotations: [] })))).toContain(
      'expected images with captions, got 1 without any',
    );
    expect(userErrorLine(() => loadCaptions(write(labels)))).toContain(
      'annotations[0].caption: expected a caption, got a category_id: this file has labels of objects',
    );
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'a.jpg'), '');
    expect(userErrorLine(() => loadCaptions(folder))).toContain('expected images with captions, got 1 without any');
  });
});

describe('predictions', () => {
  const predictions = [{ image_id: 4, caption: 'a cat' }];

  it('are refused as captions of images, and those as predictions', () => {
    expect(userErrorLine(() => loadCaptions(write(predictions)))).toContain('got an array of predictions');
    expect(userErrorLine(() => readPredictions(write({ images, annotations: [] })))).toContain(
      'got a captions file with images; give it as --references',
    );
  });

  it('are refused as JSON lines, by their name', () => {
    expect(userErrorLine(() => readPredictions(write('{}\n{}\n', 'predictions.jsonl')))).toContain(
      'got JSON lines; take the .json file beside it',
    );
  });

  it('of a folder are named', () => {
    const folder = temporaryFolder();
    expect(userErrorLine(() => refuseOtherPredictions(folder))).toContain(
      `got a folder without any; write one with tokenfuse caption ${folder} <images> --out predictions.json`,
    );
    mkdirSync(join(folder, 'predictions/val'), { recursive: true });
    for (const row of ['model', 'blind']) write(predictions, `predictions/val/${row}.json`, folder);
    expect(userErrorLine(() => refuseOtherPredictions(folder))).toMatch(
      /got a folder; take one of its files: predictions\/val\/blind\.json, predictions\/val\/model\.json$/,
    );
    expect(() => refuseOtherPredictions(join(folder, 'predictions/val/model.json'))).not.toThrow();
  });
});
