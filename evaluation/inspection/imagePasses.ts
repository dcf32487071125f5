import { imageBlocks, imageContexts, imageStates } from '#fusion';
import { tf } from '#src/engine';
import { tokenFormerStack } from '#src/stacks';
import { startWork } from '#src/tracking';
import { numImageTokens, numPatches, type VisionModelConfig, visionBlocks, visionForward } from '#vision';
import type { RowPlaces } from './groupTally.js';
import { readingListeners } from './imageReadings.js';
import type { InspectedModel } from './inspectedModel.js';
import type { InspectedImages } from './inspectionData.js';
import { createGroupRecords, type RecordedGroup } from './passRecorder.js';
import { batchSizeFor } from './passSizes.js';

/** Runs images through the vision blocks and, in a merged model, through all groups by which text layers read them. */
export async function imagePasses(
  model: InspectedModel,
  { backbone }: VisionModelConfig,
  images: InspectedImages,
  numContexts: number,
): Promise<RecordedGroup[]> {
  const { tree, joint, math } = model;
  const { imageSize, stack } = backbone;
  const inBlocks = createGroupRecords(stack, numContexts);
  const inReadings = createGroupRecords(math, numContexts);
  const blocks = joint ? imageBlocks(joint) : visionBlocks(tree, backbone);
  const listenerOf = readingListeners(model);
  const tokens = numImageTokens(backbone);
  const classTokens = tokens - numPatches(backbone);
  const batchSize = batchSizeFor(tokens, model);
  const report = startWork('images', images.count, 'images');
  for (let first = 0; first < images.count; first += batchSize) {
    const indices = Array.from({ length: Math.min(batchSize, images.count - first) }, (_, i) => first + i);
    const pixels = images.pixelValues(indices);
    const pixelTensor = (): tf.Tensor4D => tf.tensor4d(pixels, [indices.length, imageSize, imageSize, 3]);
    const places = gridPlaces(indices, tokens, classTokens);
    await inBlocks.pass((recorder) => {
      const capture = recorder.listen('image', blocks, [], () => places);
      visionForward(tree, backbone, pixelTensor(), { stack: tokenFormerStack(blocks, backbone.stack), capture });
    });
    if (joint) {
      await inReadings.pass((recorder) => {
        const onReading = listenerOf((layerPath, { input, ofPositions, active: groups }) => {
          // What is the same for every image is counted once.
          if (ofPositions && first > 0) return;
          const rows = ofPositions ? gridPlaces([-1], tokens, classTokens) : places;
          recorder.layer({ stream: 'reading', layerPath, groups }, input, rows);
        });
        imageContexts({ ...joint, onReading }, imageStates(joint, pixelTensor()), { bridge: true });
      });
    }
    report(first + indices.length);
  }
  return [...inBlocks.groups(), ...inReadings.groups()];
}

/** Rows of image tokens, image by image; the class token, where there is one, comes first and is patch −1. */
function gridPlaces(images: readonly number[], tokens: number, classTokens: number): RowPlaces {
  const rows = images.length * tokens;
  return {
    items: Int32Array.from({ length: rows }, (_, row) => images[Math.floor(row / tokens)]),
    positions: Int32Array.from({ length: rows }, (_, row) => (row % tokens) - classTokens),
  };
}
