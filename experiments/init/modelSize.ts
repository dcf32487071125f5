import { ConfigError } from '#src/errors';

/** How large the two backbones of a new experiment are, and how long they train. */
export interface ModelSize {
  readonly imageSize: number;
  /** Of the TokenFormer layers of both backbones. */
  readonly dModel: number;
  readonly numLayers: number;
  readonly numHeads: number;
  readonly ffnParamTokens: number;
  readonly vocabSize: number;
  readonly bridgeTokens: number;
  readonly learningRate: number;
  readonly steps: { readonly vision: number; readonly language: number; readonly align: number };
}

export const MODEL_SIZES = {
  small: {
    imageSize: 64,
    dModel: 128,
    numLayers: 4,
    numHeads: 4,
    ffnParamTokens: 384,
    vocabSize: 2048,
    bridgeTokens: 32,
    learningRate: 1.5e-3,
    steps: { vision: 1500, language: 1000, align: 600 },
  },
  medium: {
    imageSize: 128,
    dModel: 384,
    numLayers: 8,
    numHeads: 6,
    ffnParamTokens: 1536,
    vocabSize: 8192,
    bridgeTokens: 64,
    learningRate: 6e-4,
    steps: { vision: 10_000, language: 10_000, align: 2000 },
  },
} as const satisfies Readonly<Record<string, ModelSize>>;

/** Patches along each side of an image, whatever its size. */
export const PATCHES_PER_SIDE = 8;

/**
 * The sizes that `small` or `medium` stands for, with images of another size where one is given.
 *
 * @throws ConfigError for another name, or an image size that 8 × 8 patches do not divide
 */
export function modelSizeOf(name: string, imageSizeText: string | undefined): ModelSize {
  if (name !== 'small' && name !== 'medium') throw new ConfigError(`--size: expected small or medium, got '${name}'`);
  const size = MODEL_SIZES[name];
  if (imageSizeText === undefined) return size;
  const imageSize = /^\d{1,4}$/.test(imageSizeText) ? Number(imageSizeText) : Number.NaN;
  if (!(imageSize >= 2 * PATCHES_PER_SIDE) || imageSize % PATCHES_PER_SIDE !== 0) {
    throw new ConfigError(
      `--image-size: expected a multiple of ${PATCHES_PER_SIDE} from ${2 * PATCHES_PER_SIDE}, got '${imageSizeText}'`,
    );
  }
  return { ...size, imageSize };
}
