import type { DecodingOptions } from './decodingOptions.js';
import type { ImageInput } from './imageInput.js';
import { openModel } from './internal/model.js';
import type { LoadedModel } from './loadedModel.js';
import type { TensorData } from './tensorData.js';

/** A caption of an image. */
export interface Caption {
  /** Without the stop token. */
  readonly caption: string;
  /** log p(caption | image), in nats, the stop token included where it has one. */
  readonly logProb: number;
  /** Without the stop token. */
  readonly numTokens: number;
  /** False when `maxTokens` ended it. */
  readonly ended: boolean;
}

/** A merged vision-language model: both backbones' parameter-token groups in joint layers. */
export interface Model extends LoadedModel {
  /** Height and width of the square that images become, in pixels. */
  readonly imageSize: number;
  /** The fusion method by which the backbones were merged, such as `routed`. */
  readonly method: string;
  /**
   * Captions images.
   *
   * @returns one caption per image: the likeliest found, or the first drawn
   * @throws UserError naming an image that cannot be read or decoded
   * @throws ConfigError for options that do not fit the decoding method
   */
  caption(images: readonly ImageInput[], decoding?: DecodingOptions): Promise<string[]>;
  /**
   * All candidates of each image with their likelihood: one (greedy), `nBest` (beam, best first), or `numSamples`.
   *
   * @throws UserError naming an image that cannot be read or decoded
   * @throws ConfigError for options that do not fit the decoding method
   */
  candidates(images: readonly ImageInput[], decoding?: DecodingOptions): Promise<Caption[][]>;
  /**
   * What text reads of images: the vision backbone's normalised states.
   *
   * @returns [batch, 1 or numLayers, numImageTokens, visionWidth]
   * @throws UserError naming an image that cannot be read or decoded
   */
  encode(images: readonly ImageInput[]): Promise<TensorData>;
  /**
   * How likely given captions are: log p(captions[i] | images[i]) in nats, the end included.
   *
   * @throws UserError when there are not as many captions as images, or one is too long
   */
  logProbs(images: readonly ImageInput[], captions: readonly string[]): Promise<number[]>;
}

/**
 * Loads a merged (and usually aligned) vision-language model; the first call chooses an engine unless `selectEngine` did.
 *
 * @param path a run directory (its best checkpoint is taken) or a checkpoint folder
 * @throws UserError when there is none, or it holds a backbone
 * @example
 * ```ts
 * import { loadModel } from 'tokenfuse';
 * const model = await loadModel('runs/quickstart/align');
 * const [caption] = await model.caption(['photo.jpg']);
 * ```
 */
export function loadModel(path: string): Promise<Model> {
  return openModel(path);
}
