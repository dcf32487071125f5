import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { captionImages, imageStates, loadJointModel } from '#fusion';
import {
  type CaptionPrediction,
  readCocoCaptions,
  readImageFile,
  readImageFolder,
  writePredictions,
} from '#fusion/captionData';
import type { Command } from '#src/cli';
import { tf } from '#src/engine';
import { ConfigError, UserError } from '#src/errors';
import { readBytes } from '#src/storage';
import { decodeImage } from '#vision';
import { ENGINE_OPTIONS, startEngine } from '../engineOption.js';

const BATCH = 32;

/** `tokenfuse caption`: greedy captions of images. */
export const captionCommand: Command = {
  name: 'caption',
  summary: 'Caption an image, a folder of images, or the images of a COCO file.',
  positionals: [
    { name: 'model', description: 'an aligned model: run directory or checkpoint' },
    { name: 'images', description: 'an image file, a folder, or a COCO captions JSON' },
  ],
  options: {
    out: { description: 'write COCO results JSON here', placeholder: 'predictions.json' },
    'max-tokens': { description: 'longest caption in tokens (default 48)', placeholder: 'n' },
    ...ENGINE_OPTIONS,
  },
  run: async (args, output) => {
    const [modelPath, imagesPath] = args.positionals;
    const maxTokens = Number(args.text('max-tokens') ?? 48);
    if (!Number.isInteger(maxTokens) || maxTokens < 1) {
      throw new ConfigError(`--max-tokens: expected a whole number above 0, got '${args.text('max-tokens')}'`);
    }
    if (!existsSync(imagesPath)) throw new UserError(`cannot read images ${imagesPath}: no such file or folder`);
    const images = imagesPath.endsWith('.json')
      ? readCocoCaptions(imagesPath, { requireImageFiles: true }).images
      : statSync(imagesPath).isDirectory()
        ? readImageFolder(imagesPath)
        : [readImageFile(imagesPath)];
    await startEngine(args, output);
    const model = loadJointModel(modelPath);
    const { imageSize } = model.config.vision.vision;
    const { preprocessing } = model.config.vision;
    const predictions: (CaptionPrediction & { file_name: string })[] = [];
    for (let first = 0; first < images.length; first += BATCH) {
      const batch = images.slice(first, first + BATCH);
      const decoded = await Promise.all(
        batch.map(({ path }) =>
          decodeImage(readBytes(path, 'image'), { imageSize, ...preprocessing }).catch((error: Error) => {
            throw new UserError(`cannot decode image ${path}: ${error.message.split('\n')[0]}`);
          }),
        ),
      );
      const pixels = Float32Array.from(Buffer.concat(decoded), (byte) => byte / 127.5 - 1);
      const states = tf.tidy(() => imageStates(model, tf.tensor4d(pixels, [batch.length, imageSize, imageSize, 3])));
      const captions = await captionImages(model, states, { maxTokens, bridge: true });
      states.dispose();
      for (const [i, { id, fileName }] of batch.entries()) {
        predictions.push({ image_id: id, file_name: fileName, caption: captions[i] });
        output.line(`${fileName}  ${captions[i]}`);
      }
    }
    model.dispose();
    const out = args.text('out');
    if (out !== undefined) writePredictions(resolve(out), predictions);
    return { predictions };
  },
};
