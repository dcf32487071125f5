import type { ImageInput } from './imageInput.js';
import { createVision, openVision } from './internal/visionModel.js';
import type { LoadedModel } from './loadedModel.js';
import type { StackConfig } from './stackConfig.js';
import type { TensorData } from './tensorData.js';

/** A new vision TokenFormer. */
export interface VisionModelOptions {
  /** The blocks. */
  readonly stack: StackConfig;
  /** Height and width of the square that images become, in pixels. */
  readonly imageSize: number;
  /** Height and width of a patch, in pixels; divides `imageSize`. */
  readonly patchSize: number;
  /** What stands for an image: the `mean` over patches (default) or a `classToken`. */
  readonly pooling?: 'mean' | 'classToken';
  /** How an image becomes a square: `stretch` (default), `cover` cuts the longer side, `contain` fills with `background`. */
  readonly resize?: 'stretch' | 'cover' | 'contain';
  /** Red, green, blue in 0..255 behind transparent pixels and around a contained image; white by default. */
  readonly background?: readonly [number, number, number];
  /** Names of the classes that `loss` compares with; without them it is the loss of masked patches. */
  readonly classNames?: readonly string[];
  /** Draws the parameters; 0 by default. Equal seeds give equal parameters. */
  readonly seed?: number;
}

/** A vision TokenFormer: patch embedding, learned positions, blocks with full attention. */
export interface VisionModel extends LoadedModel {
  /** Height and width of the square that images become, in pixels. */
  readonly imageSize: number;
  /** Patches and, with class-token pooling, the class token before them. */
  readonly numImageTokens: number;
  /**
   * The forward pass: image tokens after the final norm.
   *
   * @returns [batch, numImageTokens, dModel]
   * @throws UserError naming an image that cannot be read or decoded
   */
  encode(images: readonly ImageInput[]): Promise<TensorData>;
  /**
   * One vector per image: the class token, or the mean over patches.
   *
   * @returns [batch, dModel]
   * @throws UserError naming an image that cannot be read or decoded
   */
  embed(images: readonly ImageInput[]): Promise<TensorData>;
  /**
   * Mean loss per image of what the model is trained on: cross-entropy of `classes` in nats (classify), or the mean squared error
   * of masked patches' normalised pixels (maskedPatches, arXiv 2111.06377).
   *
   * @param classes index of each image's class, where the model classifies
   * @throws UserError for a model of another objective, and for classes that are missing or outside of its own
   */
  loss(images: readonly ImageInput[], classes?: readonly number[]): Promise<number>;
}

/**
 * Makes a vision TokenFormer with random parameters: patch kernel N(0, 1/patch width), positions N(0, 0.02²), blocks as
 * `createLanguageModel`'s.
 *
 * @throws ConfigError with one line per problem of the configuration
 * @example
 * ```ts
 * using model = await createVisionModel({
 *   stack: { dModel: 32, numLayers: 2, numHeads: 2, qkvParamTokens: 32, outputParamTokens: 32, ffnParamTokens: 64 },
 *   imageSize: 64,
 *   patchSize: 8,
 * });
 * const { shape } = await model.encode(['photo.jpg']); // [1, 64, 32]
 * ```
 */
export function createVisionModel(options: VisionModelOptions): Promise<VisionModel> {
  return createVision(options);
}

/**
 * Loads a vision backbone.
 *
 * @param path a run directory (its best checkpoint is taken) or a checkpoint folder
 * @throws UserError when there is none, or it holds a model of another kind
 * @example
 * ```ts
 * using model = await loadVisionModel('runs/quickstart/vision');
 * const { values } = await model.embed(['photo.jpg']);
 * ```
 */
export function loadVisionModel(path: string): Promise<VisionModel> {
  return openVision(path);
}
