import { captionsById, loadCaptions } from '#captions/formats';
import { bestConstantCaptions } from '#captions/metrics';
import { alignedPairs, createTokenWeights, firstPairs, type JointModel, openCaptionPairs } from '#fusion';
import { createRandom } from '#src/random';
import { type ImageFeatures, imageFeatures } from './controls.js';
import type { EvaluateExperiment } from './evaluateConfig.js';

/** Captions that come from the training set alone. */
export interface TrainingControls {
  /** Image-caption pairs that they come from. */
  readonly numPairs: number;
  /** The best constant caption by each metric. */
  readonly ciderD: string;
  readonly bleu4: string;
  /** All of them: what is not among them is novel. */
  readonly captions: readonly string[];
  /** Images to look up, with a caption each. */
  readonly neighbours?: { readonly features: ImageFeatures; readonly captions: readonly string[] };
}

export interface TrainingControlOptions {
  /** The model's run directory or checkpoint folder: where its alignment saw only the first pairs, so do the controls. */
  readonly modelPath: string;
  readonly root: string;
  readonly cacheDir: string;
}

/**
 * Controls from the training pairs that the model was aligned on: one caption for all images, and that of the nearest image in
 * vision features.
 */
export async function trainingControls(
  model: JointModel,
  train: NonNullable<EvaluateExperiment['train']>,
  { seed, batchSize, controls }: EvaluateExperiment,
  { modelPath, root, cacheDir }: TrainingControlOptions,
): Promise<TrainingControls> {
  const maxPairs = alignedPairs(modelPath);
  const seen = captionsById(firstPairs(loadCaptions(train.captions, { root, images: train.images }), maxPairs));
  const [ciderD, bleu4] = bestConstantCaptions(seen, ['ciderD', 'bleu4'], { seed }).map(({ caption }) => caption);
  const all = [...seen.values()].flat();
  const constants = { numPairs: all.length, ciderD, bleu4, captions: [...new Set(all)] };
  if (!controls.nearestNeighbour) return constants;
  const places = { seqLen: model.config.language.backbone.seqLen, cacheDir, root, maxPairs };
  const pairs = await openCaptionPairs(train, model.config.vision, model.tokenizer, createTokenWeights([]), places);
  try {
    const positions = createRandom(seed, 'neighbours')
      .shuffled([...pairs.imageIds.keys()])
      .slice(0, controls.maxNeighbourImages);
    const features = await imageFeatures(model, pairs, positions, batchSize);
    return {
      ...constants,
      neighbours: { features, captions: positions.map((position) => pairs.captions[position][0]) },
    };
  } finally {
    pairs.close();
  }
}
