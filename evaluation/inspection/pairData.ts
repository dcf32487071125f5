import { captionSourceName } from '#captions/formats';
import { type CaptionPairSource, createTokenWeights, openCaptionPairs } from '#fusion';
import { ConfigError } from '#src/errors';
import type { InspectedModel } from './inspectedModel.js';
import type { InspectionData, RunDataOptions } from './inspectionData.js';

/** Images with captions, the first ones. */
export async function openPairs(
  model: InspectedModel,
  source: CaptionPairSource,
  { root, cacheDir, limit, note }: RunDataOptions,
): Promise<InspectionData> {
  if (model.joint === undefined) {
    throw new ConfigError(`--captions: expected a merged model, got a ${model.kind} model; give --images or --text`);
  }
  const { config, tokenizer } = model.joint;
  const { seqLen } = config.language.backbone;
  const places = { seqLen, cacheDir, root, maxPairs: limit, note };
  const pairs = await openCaptionPairs(source, config.vision, tokenizer, createTokenWeights([]), places);
  const name = captionSourceName(source.captions);
  return {
    images: {
      source: name,
      count: pairs.images.length,
      nameOf: (index) => pairs.images[index].fileName,
      pixelValues: pairs.pixelValues,
    },
    texts: {
      source: name,
      count: pairs.numPairs,
      batches: function* (batchSize) {
        let first = 0;
        for (const { text, images } of pairs.batches(batchSize)) {
          yield { first, text, images };
          first += text.batch;
        }
      },
    },
    close: () => pairs.close(),
  };
}
