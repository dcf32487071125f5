import { tf } from '#src/engine';
import { createUsageMeter, type ParameterTree, type ParamTokenUsage } from '#src/tokenformer';
import type { ImageBatch } from './data/index.js';
import { visionBlocks, visionForward } from './model/backbone.js';
import type { VisionConfig } from './model/config.js';

/** How much a vision backbone uses each of its parameter tokens on whole images. */
export async function visionUsage(
  tree: ParameterTree,
  vision: VisionConfig,
  batches: Iterable<ImageBatch>,
): Promise<ParamTokenUsage[]> {
  const meter = createUsageMeter(visionBlocks(tree, vision), vision.stack);
  for (const { pixelValues, batch } of batches) {
    await meter.observe((capture) => {
      const pixels = tf.tensor4d(pixelValues, [batch, vision.imageSize, vision.imageSize, 3]);
      return visionForward(tree, vision, pixels, { capture });
    });
  }
  return meter.usage();
}
