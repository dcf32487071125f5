import { imageBlocks, type JointModel } from '#fusion';
import { tf } from '#src/engine';
import { type Stack, tokenFormerStack } from '#src/stacks';
import type { ParameterTree } from '#src/tokenformer';
import { type AnyVisionConfig, pixelValuesOf, pooled, visionForward } from '#vision';

/** What embeds images: a vision backbone, or that of a merged model. */
export interface ImageEmbedder {
  readonly tree: ParameterTree;
  readonly backbone: AnyVisionConfig;
  /** The backbone's own unless given. */
  readonly stack?: Stack;
}

/** The vision stream of a merged model. */
export function jointEmbedder(model: JointModel): ImageEmbedder {
  const { backbone } = model.config.vision;
  return { tree: model.tree, backbone, stack: tokenFormerStack(imageBlocks(model), backbone.stack) };
}

/**
 * One vector an image: the final vision states after their norm, pooled as the backbone pools them (mean over patches, or the
 * class token).
 *
 * @param images RGB bytes of each, [imageSize, imageSize, 3]
 * @returns dModel numbers an image
 */
export async function embedImages(
  { tree, backbone, stack }: ImageEmbedder,
  images: readonly Uint8Array[],
): Promise<Float32Array[]> {
  const vectors = tf.tidy(() => {
    const { normed } = visionForward(tree, backbone, pixelValuesOf(images, backbone.imageSize), { stack });
    return pooled(backbone, normed); // [batch, dModel]
  });
  const values = (await vectors.data()) as Float32Array;
  vectors.dispose();
  const width = backbone.stack.dModel;
  return images.map((_, i) => values.slice(i * width, (i + 1) * width));
}
