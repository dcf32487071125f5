import { join } from 'node:path';
import {
  createLanguageParameters,
  type LanguageModelConfig,
  loadTokenizer,
  TOKENIZER_FILE,
  trainBpe,
  writeBpeModel,
} from '#language';
import { type HostTensor, readBytes } from '#src/storage';
import type { TokenFormerConfig } from '#src/tokenformer';
import { writeCheckpoint } from '#src/training';
import { createVisionParameters, type Preprocessing, type VisionConfig, type VisionModelConfig } from '#vision';
import { COLOUR_NAMES } from './tinyCaptions.js';

/** The stack that both tiny backbones have unless a test asks for another. */
export const TINY_STACK: TokenFormerConfig = {
  dModel: 8,
  numLayers: 2,
  numHeads: 2,
  qkvParamTokens: 6,
  outputParamTokens: 5,
  ffnParamTokens: 10,
  normActivation: 'l2NormGelu',
  gelu: 'erf',
  normEpsilon: 1e-5,
  rotaryShare: 0,
  rotaryBase: 10_000,
};

export interface TinyBackboneOptions {
  readonly vision?: Partial<TokenFormerConfig>;
  readonly language?: Partial<TokenFormerConfig>;
  readonly pooling?: VisionConfig['pooling'];
  /** What the tokenizer is trained on besides the tiny captions, and how large it may get. */
  readonly texts?: readonly string[];
  readonly vocabSize?: number;
}

/**
 * Two untrained backbones as checkpoint folders `vision` and `language`, the tokenizer beside the latter. Embeddings are
 * far larger than at the start of training: with that, what a model predicts depends visibly on what it reads.
 */
export function writeTinyBackbones(folder: string, options: TinyBackboneOptions = {}): void {
  const vision: VisionConfig = {
    imageSize: 16,
    patchSize: 8,
    pooling: options.pooling ?? 'mean',
    stack: { ...TINY_STACK, ...options.vision },
  };
  const preprocessing: Preprocessing = { resize: 'stretch', background: [255, 255, 255] };
  const visionModel: VisionModelConfig = {
    backbone: vision,
    preprocessing,
    objectives: [],
    labels: {},
  };
  writeCheckpoint(join(folder, 'vision'), {
    model: { kind: 'vision', config: visionModel },
    tensors: enlarged(createVisionParameters(vision, 1), 'vision/positionEmbedding'),
    assets: new Map(),
  });

  const texts = [
    ...COLOUR_NAMES.flatMap((name) => [`a ${name} square`, `the square is ${name}`]),
    ...(options.texts ?? []),
  ];
  const tokenizerPath = join(folder, TOKENIZER_FILE);
  writeBpeModel(tokenizerPath, trainBpe({ texts: [...texts, ...texts], vocabSize: options.vocabSize ?? 280 }));
  const tokenizer = loadTokenizer({ kind: 'bpe', path: TOKENIZER_FILE }, { baseDir: folder });
  const languageModel: LanguageModelConfig = {
    backbone: {
      vocabSize: tokenizer.vocabSize,
      seqLen: 128,
      stack: { ...TINY_STACK, rotaryShare: 0.5, ...options.language },
    },
    tokenizer: { kind: 'bpe', path: TOKENIZER_FILE },
    tokenizerFingerprint: tokenizer.fingerprint,
  };
  tokenizer.dispose();
  writeCheckpoint(join(folder, 'language'), {
    model: { kind: 'language', config: languageModel },
    tensors: enlarged(createLanguageParameters(languageModel.backbone, 2), 'language/tokenEmbedding'),
    assets: new Map([[TOKENIZER_FILE, readBytes(tokenizerPath, 'tokenizer')]]),
  });
}

function enlarged(tensors: Map<string, HostTensor>, name: string): Map<string, HostTensor> {
  const tensor = tensors.get(name)!;
  return new Map([...tensors, [name, { ...tensor, values: Float32Array.from(tensor.values, (value) => value * 20) }]]);
}
