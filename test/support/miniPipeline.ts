import { mkdirSync } from 'node:fs';
import { writeExperiment } from './tokenfuse.js';

/**
 * The files of a pipeline that takes seconds: 24-pixel scenes, a dozen images a split, one block a backbone.
 *
 * @returns the path of the pipeline file
 */
export function writeMiniPipeline(folder: string, backboneSteps = 20): string {
  mkdirSync(folder, { recursive: true });
  const stack = {
    dModel: 16,
    numLayers: 1,
    numHeads: 2,
    qkvParamTokens: 12,
    outputParamTokens: 12,
    ffnParamTokens: 24,
  };
  const training = { batchSize: 8, learningRate: 0.01, logEvery: 1, checkpointEvery: 5 };
  const coco = (split: string) => ({ kind: 'coco', annotations: `data/${split}/labels.json` });
  const testSet = (name: string, split: string) => ({
    name,
    captions: `data/${split}/captions.json`,
    scenes: `data/${split}/scenes.json`,
  });
  writeExperiment(folder, {
    kind: 'scenes',
    name: 'data',
    scenes: {
      seed: 1,
      imageSize: 24,
      patchSize: 12,
      maxObjects: 2,
      captionsPerImage: 2,
      counts: {
        visionTrain: 16,
        visionVal: 8,
        languageTrain: 120,
        languageVal: 8,
        pairsTrain: 12,
        pairsVal: 6,
        testSeen: 6,
        testHeldOut: 5,
        testDisagreeSeen: 0,
        testDisagreeHeldOut: 0,
      },
    },
  });
  writeExperiment(folder, { kind: 'tokenizer', name: 'tokenizer', files: ['data/language/train.txt'], vocabSize: 320 });
  writeExperiment(folder, {
    kind: 'vision',
    name: 'vision',
    seed: 1,
    model: { imageSize: 24, patchSize: 12, stack },
    objectives: [
      { kind: 'attributes', scope: 'image' },
      { kind: 'attributes', scope: 'grid' },
    ],
    data: { train: coco('vision/train'), validation: coco('vision/val') },
    training: { ...training, steps: backboneSteps, evaluateEvery: 10 },
  });
  writeExperiment(folder, {
    kind: 'language',
    name: 'language',
    seed: 2,
    model: { stack: { ...stack, rotaryShare: 0.5 } },
    tokenizer: { kind: 'bpe', path: 'tokenizer/tokenizer.json' },
    data: {
      files: ['data/language/train.txt'],
      validationFiles: ['data/language/val.txt'],
      documents: 'line',
      layout: 'documents',
      seqLen: 64,
    },
    training: { ...training, steps: 2 * backboneSteps, evaluateEvery: 20 },
  });
  writeExperiment(folder, {
    kind: 'merge',
    name: 'merged',
    seed: 3,
    vision: 'vision',
    language: 'language',
    fusion: { bridge: { tokens: 4 } },
  });
  const source = (split: string) => ({ captions: `data/pairs/${split}/captions.json` });
  writeExperiment(folder, {
    kind: 'align',
    name: 'align',
    seed: 4,
    model: 'merged',
    data: { train: source('train'), validation: source('val'), seqLen: 64 },
    tokenWeights: [{ words: ['left', 'right'], schedule: [{ fromStep: 0, weight: 5 }] }],
    training: { ...training, steps: 20, evaluateEvery: 10 },
  });
  writeExperiment(folder, {
    kind: 'evaluate',
    name: 'evaluation',
    seed: 5,
    model: 'align',
    train: source('train'),
    decoding: { method: 'greedy', maxTokens: 12 },
    sets: [testSet('seen', 'test_seen'), testSet('held-out', 'test_heldout')],
  });
  const stages = ['scenes', 'tokenizer', 'vision', 'language', 'merge', 'align', 'evaluate'];
  return writeExperiment(folder, {
    kind: 'pipeline',
    name: 'mini',
    ...Object.fromEntries(stages.map((stage) => [stage, `${stage}.yaml`])),
    upperBound: ['training.learningRate=0.005'],
    expect: { objectAccuracy: { seen: 0 }, gapClosed: -1000, shuffledAboveBlind: 1 },
  });
}
