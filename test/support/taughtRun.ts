import { join } from 'node:path';
import sharp from 'sharp';
import { createRandom } from '#src/random';
import { VisionExperiment } from '#vision';

export const JOINT = { kind: 'jointEmbedding', predictorModel: 8, predictorHeads: 2 };

export const DISTILLATION = { kind: 'selfDistillation', localCrops: 1, prototypes: 8, headHidden: 16, headOutput: 4 };

/** Puts 12 noisy images into a folder. */
export async function writeNoise(root: string): Promise<void> {
  for (let i = 0; i < 12; i++) {
    const random = createRandom(1, 'image', i);
    const pixels = Buffer.from(Array.from({ length: 8 * 8 * 3 }, () => random.integer(256)));
    await sharp(pixels, { raw: { width: 8, height: 8, channels: 3 } }).toFile(join(root, `${i}.png`));
  }
}

/** Three objectives on noise, two of them with a teacher; takes a second. */
export function taughtExperiment(
  given: Record<string, unknown> = {},
  training: Record<string, unknown> = {},
): VisionExperiment {
  const tokens = { qkvParamTokens: 12, outputParamTokens: 12, ffnParamTokens: 24 };
  return VisionExperiment.parse({
    kind: 'vision',
    name: 'noise',
    seed: 1,
    model: { imageSize: 8, patchSize: 2, stack: { dModel: 12, numLayers: 1, numHeads: 2, ...tokens } },
    objectives: [JOINT, DISTILLATION, { kind: 'maskedPatches', weight: 0.5, decoderModel: 8, decoderHeads: 2 }],
    data: { train: { kind: 'folder', path: '.', validationShare: 0.3 } },
    training: {
      ...{ steps: 12, batchSize: 4, learningRate: 0.01, logEvery: 1, evaluateEvery: 5, checkpointEvery: 4 },
      ...training,
    },
    ...given,
  });
}
