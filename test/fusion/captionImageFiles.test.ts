import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { listImages } from '#captions/formats';
import { type CaptionedFile, captionImageFiles, type JointModel } from '#fusion';
import { Decoding } from '#language';
import { selectEngine, tf } from '#src/engine';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { rejectedLine } from '../support/thrown.js';
import { COLOUR_NAMES, writeTinyCaptions } from '../support/tinyCaptions.js';
import { stirFusion, tinyJointModel } from '../support/tinyJointModel.js';

beforeAll(async () => {
  await selectEngine('wasm');
});

async function captionAll(model: JointModel, folder: string, batchSize: number, settings: object) {
  const decoding = Decoding.parse({ maxTokens: 8, ...settings });
  const files: CaptionedFile[] = [];
  const tensors: number[] = [];
  for await (const batch of captionImageFiles(model, listImages(folder), { decoding, batchSize })) {
    files.push(...batch);
    tensors.push(tf.memory().numTensors);
  }
  const captions = files.map(({ image, candidates }) => [
    image.fileName,
    ...candidates.map(({ caption, numTokens }) => `${caption} (${numTokens})`),
  ]);
  return { captions, tensors };
}

async function prepared(): Promise<{ model: JointModel; images: string }> {
  const folder = temporaryFolder();
  const model = tinyJointModel(folder);
  stirFusion(model, 3);
  await writeTinyCaptions(folder);
  return { model, images: join(folder, 'images') };
}

describe('captionImageFiles', () => {
  it.each([{ method: 'greedy' }, { method: 'beam', width: 3, nBest: 2 }, { method: 'sample', numSamples: 2 }])(
    'says the same at every batch size, in the order of the images: %o',
    async (settings) => {
      const { model, images } = await prepared();
      const { captions } = await captionAll(model, images, 100, settings);
      expect(captions.map(([name]) => name)).toEqual(COLOUR_NAMES.map((name) => `${name}.png`).sort());
      expect(new Set(captions.map(([, caption]) => caption)).size).toBeGreaterThan(3);
      for (const batchSize of [1, 3]) {
        expect((await captionAll(model, images, batchSize, settings)).captions).toEqual(captions);
      }
      model.dispose();
    },
  );

  it('holds no more tensors after the last batch than after the first', async () => {
    const { model, images } = await prepared();
    const { tensors } = await captionAll(model, images, 1, { method: 'beam' });
    expect(tensors).toHaveLength(COLOUR_NAMES.length);
    expect(new Set(tensors).size).toBe(1);
    model.dispose();
  });

  it('gives the batches before a broken image, then names it', async () => {
    const { model, images } = await prepared();
    writeFileSync(join(images, 'green.png'), 'no image');
    const done: string[] = [];
    const line = await rejectedLine(
      (async () => {
        const decoding = Decoding.parse({ method: 'greedy', maxTokens: 2 });
        for await (const batch of captionImageFiles(model, listImages(images), { decoding, batchSize: 2 })) {
          done.push(...batch.map(({ image }) => image.fileName));
        }
      })(),
    );
    expect(line).toContain('green.png');
    expect(done).toEqual(['black.png', 'blue.png']);
    model.dispose();
  });
});
