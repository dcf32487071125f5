import type { CaptionSource } from '#captions/formats';
import { scoreCaptions } from '#captions/metrics';
import { pairNlls } from '#evaluation/likelihood';
import {
  type CaptionPairs,
  cacheImageStates,
  captionImages,
  captionLogits,
  createTokenWeights,
  imageContexts,
  imageStates,
  type JointModel,
  jointModelOf,
  openCaptionPairs,
} from '#fusion';
import { type Decoding, languageHidden, languageLogits, languageModelOf, type Tokenizer } from '#language';
import { tf } from '#src/engine';
import { createRandom } from '#src/random';
import type { HostTensor } from '#src/storage';
import { startWork } from '#src/tracking';
import type { PrecisionLoss, SiteModel } from './manifest.js';
import type { WeightPrecision } from './weights/index.js';

/** Pairs to score captions on. */
export interface CheckPairs {
  readonly captions: CaptionSource;
  readonly images?: string | undefined;
  readonly maxPairs: number;
  readonly cacheDir: string;
  readonly note?: (line: string) => void;
}

export interface LossOptions {
  readonly precision: WeightPrecision;
  readonly decoding: Decoding;
  readonly check?: CheckPairs | undefined;
}

type Tensors = ReadonlyMap<string, HostTensor>;

/** Inputs that are drawn to compare logits. */
const DRAWN = 4;
const DRAWN_TOKENS = 16;
const BATCH = 32;

/**
 * What stored weights lose: the model is run with those of the checkpoint and with those that a page decodes, on drawn inputs and, for a
 * merged model, on given pairs.
 */
export async function precisionLoss(
  model: SiteModel,
  tokenizer: Tokenizer,
  [before, after]: readonly [Tensors, Tensors],
  { precision, decoding, check }: LossOptions,
): Promise<PrecisionLoss> {
  const logitsOf = (tensors: Tensors): Promise<Float32Array> =>
    model.kind === 'fusion' ? jointLogits(model, tensors, tokenizer) : textLogits(model, tensors, tokenizer);
  const loss = { precision, ...logitLoss(await logitsOf(before), await logitsOf(after), tokenizer.vocabSize) };
  if (model.kind !== 'fusion' || check === undefined) return loss;
  const pairs = await openCaptionPairs(check, model.config.vision, tokenizer, createTokenWeights([]), {
    ...{ seqLen: model.config.language.backbone.seqLen, cacheDir: check.cacheDir },
    ...{ maxPairs: check.maxPairs, note: check.note },
  });
  try {
    const scoresOf = async (tensors: Tensors): Promise<CaptionScores> => {
      const joint = jointModelOf(model.config, tensors, tokenizer);
      try {
        return await captionScores(joint, pairs, decoding);
      } finally {
        joint.tree.dispose();
      }
    };
    const [scored, stored] = [await scoresOf(before), await scoresOf(after)];
    return {
      ...loss,
      captions: {
        images: pairs.imageIds.length,
        nll: { before: scored.nll, after: stored.nll },
        ciderD: { before: scored.ciderD, after: stored.ciderD },
        sameCaptions: scored.captions.filter((caption, i) => caption === stored.captions[i]).length,
      },
    };
  } finally {
    pairs.close();
  }
}

function logitLoss(
  before: Float32Array,
  after: Float32Array,
  vocabSize: number,
): Pick<PrecisionLoss, 'logits' | 'sameToken'> {
  let [change, largest, same] = [0, 0, 0];
  for (const [i, logit] of before.entries()) {
    change = Math.max(change, Math.abs(after[i] - logit));
    largest = Math.max(largest, Math.abs(logit));
  }
  const rows = before.length / vocabSize;
  for (let row = 0; row < rows; row++) {
    const own = [before, after].map((logits) => logits.subarray(row * vocabSize, (row + 1) * vocabSize));
    const [likeliest, stored] = own.map((logits) => logits.indexOf(logits.reduce((most, z) => Math.max(most, z))));
    if (likeliest === stored) same++;
  }
  return { logits: { change, largest }, sameToken: same / rows };
}

/** Tokens of the drawn texts, [DRAWN, DRAWN_TOKENS]. */
function drawnTokens(tokenizer: Tokenizer, seqLen: number): tf.Tensor2D {
  const random = createRandom(0, 'export', 'tokens');
  const length = Math.min(DRAWN_TOKENS, seqLen);
  const ids = Int32Array.from({ length: DRAWN * length }, () => random.integer(tokenizer.vocabSize));
  return tf.tensor2d(ids, [DRAWN, length], 'int32');
}

async function jointLogits(
  { config }: Extract<SiteModel, { kind: 'fusion' }>,
  tensors: Tensors,
  tokenizer: Tokenizer,
): Promise<Float32Array> {
  const model = jointModelOf(config, tensors, tokenizer);
  const { imageSize } = config.vision.backbone;
  const random = createRandom(0, 'export', 'pixels');
  const pixels = Float32Array.from({ length: DRAWN * imageSize ** 2 * 3 }, () => 2 * random.uniform() - 1);
  try {
    return await read(() => {
      const states = imageStates(model, tf.tensor4d(pixels, [DRAWN, imageSize, imageSize, 3]));
      const contexts = imageContexts(model, states, { bridge: true });
      const ids = drawnTokens(tokenizer, config.language.backbone.seqLen);
      return captionLogits(model, ids, { bridge: true, contexts }).logits;
    });
  } finally {
    model.tree.dispose();
  }
}

async function textLogits(
  { config: { backbone } }: Extract<SiteModel, { kind: 'language' }>,
  tensors: Tensors,
  tokenizer: Tokenizer,
): Promise<Float32Array> {
  const model = languageModelOf(backbone, tensors, tokenizer);
  try {
    return await read(() => {
      const { hidden } = languageHidden(model.tree, backbone, drawnTokens(tokenizer, backbone.seqLen));
      return languageLogits(model.tree, hidden);
    });
  } finally {
    model.tree.dispose();
  }
}

async function read(compute: () => tf.Tensor): Promise<Float32Array> {
  const result = tf.tidy(compute);
  const values = (await result.data()) as Float32Array;
  result.dispose();
  return Float32Array.from(values);
}

interface CaptionScores {
  readonly nll: number;
  readonly ciderD: number;
  readonly captions: readonly string[];
}

async function captionScores(model: JointModel, pairs: CaptionPairs, decoding: Decoding): Promise<CaptionScores> {
  const cache = await cacheImageStates(model, pairs, BATCH);
  const nlls = await pairNlls(model, cache, pairs, { bridge: true, batchSize: BATCH });
  const count = pairs.imageIds.length;
  const report = startWork('captions to compare', count, 'images');
  const captions: string[] = [];
  for (let first = 0; first < count; first += BATCH) {
    const chunk = Array.from({ length: Math.min(BATCH, count - first) }, (_, i) => first + i);
    const states = cache.states(chunk);
    captions.push(...(await captionImages(model, states, { bridge: true, decoding, imageIds: chunk })));
    states.dispose();
    report(captions.length);
  }
  const sum = (lists: readonly (readonly number[])[]): number =>
    lists.flat().reduce((total, value) => total + value, 0);
  const byId = <T>(values: readonly T[]): Map<number, T> => new Map(pairs.imageIds.map((id, i) => [id, values[i]]));
  return {
    nll: sum(nlls.map(({ nats }) => nats)) / sum(nlls.map(({ tokens }) => tokens)),
    ciderD: scoreCaptions(byId(captions), byId(pairs.captions)).ciderD,
    captions,
  };
}
