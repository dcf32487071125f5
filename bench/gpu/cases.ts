import { readFileSync } from 'node:fs';
import {
  type CaptionBatch,
  type CaptionPairs,
  FusionConfig,
  fusionMethod,
  imageStates,
  type JointModel,
  JointModelConfig,
} from '#fusion';
import { createLanguageParameters, LanguageConfig, languageTask, type TextBatch, type Tokenizer } from '#language';
import { type MatmulPrecision, tf } from '#src/engine';
import type { HostTensor } from '#src/storage';
import { ParameterTree, TokenFormerConfig } from '#src/tokenformer';
import { TrainingConfig, type TrainingTask } from '#src/training';
import { createObjective, createVisionParameters, VisionConfig, visionTask } from '#vision';
import { alignTask } from '../../fusion/alignment/alignTask.js';
import { createCaptionNll } from '../../fusion/alignment/objectives/captionNll.js';
import { setTrainable } from '../../fusion/alignment/trainableParameters.js';
import { newFusionParameters } from '../../fusion/fusionParameters.js';
import { pixelTensor } from '../../fusion/stateCache.js';
import { benchPath } from '../benchFolder.js';
import { hashedIntegers, hashedUniform } from './hashed.js';

interface StackCase {
  readonly dModel: number;
  readonly numLayers: number;
  readonly numHeads: number;
  readonly qkv: number;
  readonly ffn: number;
  readonly rotaryShare: number;
  readonly batch: number;
}
export interface LanguageCase extends StackCase {
  readonly kind: 'language';
  readonly vocabSize: number;
  readonly seqLen: number;
}
export interface VisionCase extends StackCase {
  readonly kind: 'vision';
  readonly imageSize: number;
  readonly patchSize: number;
  readonly numClasses: number;
}
export interface JointCase {
  readonly kind: 'joint';
  readonly vision: string;
  readonly language: string;
  readonly bridgeTokens: number;
  readonly batch: number;
  readonly seqLen: number;
}
export type GpuCase = LanguageCase | VisionCase | JointCase;

/** bench/gpu/cases.json, which peer.py reads too. */
interface Spec {
  readonly seed: number;
  /** Different batches; step t takes batch (t − 1) mod so many. */
  readonly batches: number;
  readonly training: Partial<TrainingConfig>;
  readonly models: Readonly<Record<string, GpuCase>>;
}

export const SPEC = JSON.parse(readFileSync(benchPath('gpu/cases.json'), 'utf8')) as Spec;

/** A case with its data, as the training loop and the decoder take them. */
export interface OpenCase {
  readonly task: TrainingTask;
  readonly tree: ParameterTree;
  readonly training: TrainingConfig;
  /** Of a language model, for decoding. */
  readonly language?: LanguageConfig;
}

/** Makes a model of cases.json on the current engine, and the project's own training task for it. */
export function openCase(name: string, matmulPrecision: MatmulPrecision): OpenCase {
  const gpuCase = SPEC.models[name];
  if (gpuCase === undefined)
    throw new Error(`models: expected names of ${Object.keys(SPEC.models).join(', ')}, got '${name}'`);
  const training = TrainingConfig.parse({
    ...{ steps: 1_000_000, batchSize: gpuCase.batch, finalLearningRateShare: 1, matmulPrecision },
    ...SPEC.training,
  });
  switch (gpuCase.kind) {
    case 'language':
      return openLanguage(gpuCase, training);
    case 'vision':
      return openVision(gpuCase, training);
    case 'joint':
      return openJoint(gpuCase, training);
  }
}

function stackOf(gpuCase: StackCase): TokenFormerConfig {
  const { dModel, numLayers, numHeads, qkv, ffn, rotaryShare } = gpuCase;
  const sizes = { qkvParamTokens: qkv, outputParamTokens: qkv, ffnParamTokens: ffn };
  // No ε, as in the official GPU code.
  return TokenFormerConfig.parse({ dModel, numLayers, numHeads, ...sizes, rotaryShare, normEpsilon: 0 });
}

function languageConfig(gpuCase: LanguageCase): LanguageConfig {
  return LanguageConfig.parse({ vocabSize: gpuCase.vocabSize, seqLen: gpuCase.seqLen, stack: stackOf(gpuCase) });
}

function visionConfig(gpuCase: VisionCase): VisionConfig {
  const { imageSize, patchSize } = gpuCase;
  return VisionConfig.parse({ imageSize, patchSize, stack: stackOf(gpuCase) });
}

/** The same parameters with hashed numbers, each made when it is read. */
function hashed(tensors: ReadonlyMap<string, HostTensor>, { numLayers, dModel }: StackCase): Map<string, HostTensor> {
  const stdOf = (name: string, shape: readonly number[]): number => {
    if (name.includes('Bridge/')) return name.endsWith('/keyParamTokens') ? 1 / Math.sqrt(dModel) : 0;
    if (name.endsWith('/valueParamTokens')) return 2 / (numLayers * Math.sqrt(dModel));
    if (name.endsWith('patchEmbedding/kernel')) return 1 / Math.sqrt(shape[0]);
    return 0.02;
  };
  const isConstant = (name: string): boolean => /\/(tau|bias|scale)$/.test(name);
  return new Map(
    [...tensors].map(([name, tensor]) => {
      const { shape } = tensor;
      if (isConstant(name)) return [name, tensor];
      const make = () => hashedUniform(SPEC.seed, name, tf.util.sizeFromShape([...shape]), stdOf(name, shape));
      return [
        name,
        {
          shape,
          get values() {
            return make();
          },
        },
      ];
    }),
  );
}

function textBatches({ vocabSize }: LanguageCase, batch: number, seqLen: number): TextBatch[] {
  return Array.from({ length: SPEC.batches }, (_, i) => {
    const tokenIds = hashedIntegers(SPEC.seed, `tokenIds/${i}`, batch * seqLen, vocabSize);
    // Something that can be learned: a label is a function of its token.
    const labels = tokenIds.map((id) => (id * 5 + 1) % vocabSize);
    const lengths = new Int32Array(batch).fill(seqLen);
    return { tokenIds, labels, batch, seqLen, lengths, numTokens: batch * seqLen };
  });
}

function pixelBatches({ imageSize }: VisionCase, batch: number): Float32Array<ArrayBuffer>[] {
  const count = batch * imageSize ** 2 * 3;
  return Array.from({ length: SPEC.batches }, (_, i) =>
    hashedUniform(SPEC.seed, `pixelValues/${i}`, count, 1 / Math.sqrt(3)),
  );
}

function openLanguage(gpuCase: LanguageCase, training: TrainingConfig): OpenCase {
  const language = languageConfig(gpuCase);
  const tree = new ParameterTree(hashed(createLanguageParameters(language, 0), gpuCase));
  const batches = textBatches(gpuCase, gpuCase.batch, gpuCase.seqLen);
  const dataset = { batchAt: (index: number) => batches[index % batches.length], validationBatches: () => [] };
  const task = languageTask(tree, language, dataset, { training, data: { maxValidationBatches: 1 } });
  return { task, tree, training, language };
}

function openVision(gpuCase: VisionCase, training: TrainingConfig): OpenCase {
  const model = visionConfig(gpuCase);
  const { batch, numClasses } = gpuCase;
  const classNames = Array.from({ length: numClasses }, (_, i) => `class ${i}`);
  const objective = createObjective({ kind: 'classify', weight: 1 }, model, { classNames }, 0);
  const tensors = new Map([...createVisionParameters(model, 0), ...objective.createParameters(0)]);
  const tree = new ParameterTree(hashed(tensors, gpuCase));
  const pixels = pixelBatches(gpuCase, batch);
  const indices = Int32Array.from({ length: batch }, (_, i) => i);
  const batches = pixels.map((pixelValues, i) => {
    const labels = hashedIntegers(SPEC.seed, `classes/${i}`, batch, numClasses);
    return { batch, pixelValues, labels, indices };
  });
  const dataset = { batchAt: (index: number) => batches[index % batches.length], paths: [] };
  const experiment = { model, training, seed: SPEC.seed, data: { maxValidationImages: batch } };
  const task = visionTask(tree, experiment, [objective], dataset, { *validationBatches() {} });
  return { task, tree, training };
}

/** Alignment of frozen backbones by method `routed`; image states are computed with every batch, as of a large data set. */
function openJoint(gpuCase: JointCase, training: TrainingConfig): OpenCase {
  const [visionCase, languageCase] = [SPEC.models[gpuCase.vision], SPEC.models[gpuCase.language]] as [
    VisionCase,
    LanguageCase,
  ];
  const { batch, seqLen } = gpuCase;
  const config = JointModelConfig.parse({
    vision: { backbone: visionConfig(visionCase), objectives: [], labels: {} },
    language: {
      backbone: languageConfig(languageCase),
      tokenizer: { kind: 'tiktoken', encoding: 'gpt2' },
      tokenizerFingerprint: '',
    },
    fusion: FusionConfig.parse({ method: 'routed', bridge: { tokens: gpuCase.bridgeTokens } }),
  });
  const tensors = new Map([
    ...createVisionParameters(config.vision.backbone, 0),
    ...createLanguageParameters(config.language.backbone, 0),
    ...newFusionParameters(config, 0),
  ]);
  const tree = new ParameterTree(hashed(tensors, languageCase));
  const model: JointModel = {
    tree,
    config,
    method: fusionMethod('routed'),
    tokenizer: {} as Tokenizer, // no text here
    assets: new Map(),
    dispose: () => tree.dispose(),
  };
  setTrainable(model, 'bridge');
  const text = textBatches(languageCase, batch, seqLen);
  const pixels = pixelBatches(visionCase, batch);
  const images = Int32Array.from({ length: batch }, (_, i) => i);
  const ones = new Float32Array(batch * seqLen).fill(1);
  let current = 0;
  const train: Pick<CaptionPairs, 'batchAt' | 'pixelValues' | 'imageIds'> = {
    imageIds: [...images],
    pixelValues: () => pixels[current],
    batchAt: (index): CaptionBatch => {
      current = index % text.length;
      return { images, text: text[current], weights: () => ones };
    },
  };
  const pairs = train as CaptionPairs;
  const settings = { model, train: pairs, batchSize: batch, seed: SPEC.seed, selectBy: 'captionNll' } as const;
  const places = { visionMoves: false, root: '', cacheDir: '' };
  const context = { ...settings, ...places, validation: pairs, gradientAccumulation: 1 };
  const task = alignTask({
    ...settings,
    measure: async () => ({}),
    objectives: [createCaptionNll(context)],
    statesOf: (from, positions) => tf.tidy(() => imageStates(model, pixelTensor(model, from, positions))),
  });
  return { task, tree, training };
}
