import { type ModelSize, PATCHES_PER_SIDE } from './modelSize.js';

/** What the files of a new experiment say. */
export interface NewExperiment {
  readonly name: string;
  readonly size: ModelSize;
  /** Longest sequence of the language model, in tokens. */
  readonly seqLen: number;
  /** Folder of the images, from the experiment's folder. */
  readonly images: string;
  /** Text for the language backbone besides the captions, from the experiment's folder. */
  readonly text: string | undefined;
}

/** Warm-up, as a share of all steps. */
const WARMUP = 0.05;

/** The files of an experiment by name, with comments; all paths in them start at the experiment's folder. */
export function experimentFiles(experiment: NewExperiment): Readonly<Record<string, string>> {
  const { name, size, seqLen, images, text } = experiment;
  const { imageSize, dModel, numLayers, numHeads, ffnParamTokens, steps } = size;
  const stack = (indent: string): string =>
    [
      `dModel: ${dModel} # width of a token's vector`,
      `numLayers: ${numLayers}`,
      `numHeads: ${numHeads}`,
      `qkvParamTokens: ${dModel} # parameter tokens of each query, key and value layer`,
      `outputParamTokens: ${dModel}`,
      `ffnParamTokens: ${ffnParamTokens}`,
    ].join(`\n${indent}`);
  const training = (count: number, learningRate: number, ...more: string[]): string =>
    [
      'training:',
      `  steps: ${count}`,
      '  batchSize: 64 # lower it when memory runs out',
      `  learningRate: ${learningRate} # lower it when the loss jumps or becomes NaN`,
      `  warmupSteps: ${Math.round(WARMUP * count)}`,
      '  weightDecay: 0.05',
      `  evaluateEvery: ${Math.round(count / 10)}`,
      `  checkpointEvery: ${Math.round(count / 10)}`,
      '  patience: 4 # stop after so many evaluations without a better one',
      ...more.map((line) => `  ${line}`),
      '',
    ].join('\n');
  const pairs = (split: string): string => `{ captions: captions/${split}.json, images: ${quoted(images)} }`;
  const photographs = (split: string): string =>
    `{ kind: coco, annotations: captions/${split}.json, images: ${quoted(images)} }`;
  const texts = ['captions/train.txt', ...(text === undefined ? [] : [quoted(text)])].join(', ');
  const run = (command: string, file: string): string =>
    `# Command: tokenfuse ${command} ${file} --root . (in this folder)`;

  return {
    'pipeline.yaml': `# Runs every stage in order and writes report.html. Re-running resumes after the last completed stage.
# Command: tokenfuse run pipeline.yaml --root . (in this folder)
# One stage alone: --only align. Another value: edit it in its file, or --set align.training.steps=100 in every run; then delete
# the folders of that stage and of those after it if they exist, such as align
kind: pipeline
name: ${quoted(name)}
tokenizer: tokenizer.yaml
vision: vision.yaml
language: language.yaml
merge: merge.yaml
align: align.yaml
evaluate: evaluate.yaml
# Of the copy that --upper-bound aligns with both backbones trained as well: they want a lower rate than new bridges.
upperBound: [training.learningRate=1.0e-3]
`,
    'tokenizer.yaml': `# A byte-level BPE: which pieces of words are tokens.
${run('tokenizer train', 'tokenizer.yaml')}
kind: tokenizer
name: tokenizer
files: [${texts}]
vocabSize: ${size.vocabSize} # fewer when the text is short
`,
    'vision.yaml': `# The vision backbone learns from images alone: it fills in patches that are masked. It never sees a caption.
# With labels, train it on those instead: objectives: [{ kind: classify }] and
# data: { train: { kind: classFolders, path: <a folder for each class>, validationShare: 0.1 } }
${run('train', 'vision.yaml')}
kind: vision
name: vision
seed: 1
model:
  imageSize: ${imageSize} # images are resized to a square of so many pixels
  patchSize: ${imageSize / PATCHES_PER_SIDE} # pixels on a side of a patch, the unit that becomes a token; a divisor of imageSize
  pooling: mean
  stack:
    ${stack('    ')}
objectives:
  - { kind: maskedPatches, maskShare: 0.5 }
data:
  train: ${photographs('train')}
  validation: ${photographs('validation')}
${training(steps.vision, size.learningRate)}`,
    'language.yaml': `# The language backbone learns to continue text. It never sees an image.
${run('train', 'language.yaml')}
kind: language
name: language
seed: 2
model:
  stack:
    ${stack('    ')}
    rotaryShare: 0.25
  embeddingStd: 0.1 # at the usual 0.02 words with the same neighbours (colours) stay too close for a bridge to tell apart
tokenizer: { kind: bpe, path: tokenizer/tokenizer.json }
data:
  files: [${texts}]
  validationFiles: [captions/validation.txt]
  documents: line
  layout: documents # a caption in a row of its own; packed: rows are filled with one text after another
  seqLen: ${seqLen} # longest text in tokens; captions must fit, longer lines of text are cut
${training(steps.language, size.learningRate)}`,
    'merge.yaml': `# Joins the two backbones, layer by layer: their parameter tokens side by side, and small new groups, the bridges.
${run('merge', 'merge.yaml')}
kind: merge
name: merged
seed: 3
vision: vision
language: language
fusion:
  method: routed
  bridge: { tokens: ${size.bridgeTokens} } # parameter tokens of each bridge
`,
    'align.yaml': `# Trains the bridges on images with captions; both backbones stay as they are.
${run('align', 'align.yaml')}
kind: align
name: align
seed: 4
model: merged
data:
  train: ${pairs('train')}
  validation: ${pairs('validation')}
${training(steps.align, 3e-3, 'beta2: 0.98')}`,
    'evaluate.yaml': `# Captions the test images and scores the captions, together with controls that look at no image or at the wrong one.
${run('evaluate', 'evaluate.yaml')}
kind: evaluate
name: evaluation
seed: 5
model: align
train: ${pairs('train')}
sets:
  - { name: test, captions: captions/test.json, images: ${quoted(images)} }
`,
  };
}

/** A YAML string, in quotes where it needs them. */
function quoted(text: string): string {
  return /^[\w/][\w./-]*$/.test(text) && !/^(\d|true|false|null|yes|no|on|off)/i.test(text)
    ? text
    : JSON.stringify(text);
}
