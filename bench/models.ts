import { join } from 'node:path';
import { type AnyLanguageConfig, createLanguageParameters, type LanguageConfig } from '#language';
import type { MatmulPrecision } from '#src/engine';
import { createRandom } from '#src/random';
import { type HostTensor, writeJsonAtomic, writeSafetensors } from '#src/storage';
import { TokenFormerConfig } from '#src/tokenformer';
import { isDecayed, TrainingConfig } from '#src/training';
import { matchedTransformer } from '#src/transformer';
import { createObjective, createVisionParameters, type ObjectiveConfig, VisionConfig } from '#vision';

/** Seed of weights and batches. */
export const SEED = 7;
/** Different batches; step t takes batch (t − 1) mod so many. */
export const NUM_BATCHES = 4;
/** Of the vision model's classification head. */
export const NUM_CLASSES = 10;

export const VISION_OBJECTIVE: ObjectiveConfig = { kind: 'classify', weight: 1 };

interface LanguageBenchModel {
  readonly kind: 'language';
  readonly config: LanguageConfig;
  readonly batchSize: number;
}
interface VisionBenchModel {
  readonly kind: 'vision';
  readonly config: VisionConfig;
  readonly batchSize: number;
}
/** A model whose training step is timed. */
export type BenchModel = LanguageBenchModel | VisionBenchModel;

/** The same, or one of a standard Transformer. */
export type AnyBenchModel = BenchModel | (Omit<LanguageBenchModel, 'config'> & { readonly config: AnyLanguageConfig });

/** ε 0 and rotary positions on a quarter of each head of 64, as the official GPU code has them. */
function stack(numLayers: number, dModel: number, rotaryShare: number): TokenFormerConfig {
  return TokenFormerConfig.parse({
    dModel,
    numLayers,
    numHeads: Math.ceil(dModel / 64),
    qkvParamTokens: dModel,
    outputParamTokens: dModel,
    ffnParamTokens: 4 * dModel,
    normEpsilon: 0,
    rotaryShare,
  });
}

export const LANGUAGE_MODEL: LanguageBenchModel = {
  kind: 'language',
  config: { vocabSize: 8192, seqLen: 256, stack: stack(6, 256, 0.25) },
  batchSize: 8,
};

export const VISION_MODEL: VisionBenchModel = {
  kind: 'vision',
  config: VisionConfig.parse({ imageSize: 64, patchSize: 8, stack: stack(6, 256, 0) }),
  batchSize: 32,
};

const thinStack = TokenFormerConfig.parse({
  ...LANGUAGE_MODEL.config.stack,
  ...{ qkvParamTokens: 192, outputParamTokens: 192, ffnParamTokens: 768 },
});

/** A language TokenFormer, and the standard Transformer of its width and depth with as many parameters: an MLP of 4 d units. */
export const MATCHED_MODELS: readonly (readonly [name: string, model: AnyBenchModel])[] = [
  ['TokenFormer', { ...LANGUAGE_MODEL, config: { ...LANGUAGE_MODEL.config, stack: thinStack } }],
  ['Transformer', { ...LANGUAGE_MODEL, config: { ...LANGUAGE_MODEL.config, stack: matchedTransformer(thinStack) } }],
];

/** So small that a step is all overhead. */
export const SMALL_MODEL: LanguageBenchModel = {
  kind: 'language',
  config: { vocabSize: 256, seqLen: 32, stack: stack(2, 64, 0.25) },
  batchSize: 4,
};

/** A constant learning rate, so that a step is the same work for both sides; everything else as experiments have it. */
export function trainingConfig({ batchSize }: AnyBenchModel, matmulPrecision: MatmulPrecision): TrainingConfig {
  const constant = { learningRate: 3e-4, finalLearningRateShare: 1 };
  return TrainingConfig.parse({ steps: 1_000_000, batchSize, ...constant, matmulPrecision });
}

/** Tokens of a sequence, or patches of an image. */
export function sequenceLength({ kind, config }: AnyBenchModel): number {
  return kind === 'language' ? config.seqLen : (config.imageSize / config.patchSize) ** 2;
}

/** Positions in one batch. */
export function tokensPerStep(model: AnyBenchModel): number {
  return model.batchSize * sequenceLength(model);
}

/** What a folder of `writeBenchModel` says in model.json. */
export interface BenchModelFile {
  readonly model: AnyBenchModel;
  readonly training: TrainingConfig;
  /** Names of the parameters that weight decay applies to. */
  readonly decayed: readonly string[];
}

/**
 * Writes what both sides start from: model.json, model.safetensors (the weights by the names that checkpoints use) and
 * batches.safetensors (`tokenIds/i` [batch, seqLen] or `pixelValues/i` [batch, height, width, 3], and `labels/i`).
 *
 * @returns the folder
 */
export function writeBenchModel(
  folder: string,
  model: AnyBenchModel,
  matmulPrecision: MatmulPrecision = 'highest',
): string {
  const weights = model.kind === 'language' ? createLanguageParameters(model.config, SEED) : visionWeights(model);
  const decayed = [...weights].filter(([name, { shape }]) => isDecayed(name, shape)).map(([name]) => name);
  const file: BenchModelFile = { model, training: trainingConfig(model, matmulPrecision), decayed };
  writeJsonAtomic(join(folder, 'model.json'), file);
  writeSafetensors(join(folder, 'model.safetensors'), weights);
  writeSafetensors(join(folder, 'batches.safetensors'), createBatches(model));
  return folder;
}

function visionWeights({ config }: VisionBenchModel): Map<string, HostTensor> {
  const head = createObjective(VISION_OBJECTIVE, config, { classNames: classNames() }, SEED).createParameters(SEED);
  return new Map([...createVisionParameters(config, SEED), ...head]);
}

export function classNames(): string[] {
  return Array.from({ length: NUM_CLASSES }, (_, i) => `class ${i}`);
}

function createBatches(model: AnyBenchModel): Map<string, HostTensor> {
  const tensors = new Map<string, HostTensor>();
  const { batchSize } = model;
  for (let i = 0; i < NUM_BATCHES; i++) {
    const random = createRandom(SEED, 'batch', model.kind, i);
    const integers = (count: number, bound: number): Int32Array =>
      Int32Array.from({ length: count }, () => random.integer(bound));
    if (model.kind === 'language') {
      const { seqLen, vocabSize } = model.config;
      const shape = [batchSize, seqLen];
      tensors.set(`tokenIds/${i}`, { shape, values: integers(batchSize * seqLen, vocabSize) });
      tensors.set(`labels/${i}`, { shape, values: integers(batchSize * seqLen, vocabSize) });
    } else {
      const { imageSize } = model.config;
      const pixels = Float32Array.from({ length: batchSize * imageSize ** 2 * 3 }, () => 2 * random.uniform() - 1);
      tensors.set(`pixelValues/${i}`, { shape: [batchSize, imageSize, imageSize, 3], values: pixels });
      tensors.set(`labels/${i}`, { shape: [batchSize], values: integers(batchSize, NUM_CLASSES) });
    }
  }
  return tensors;
}
