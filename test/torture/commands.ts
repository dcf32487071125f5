import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
import { officialNames } from '#language';
import { type HostTensor, writeSafetensors } from '#src/storage';
import { writeMiniPipeline } from '../support/miniPipeline.js';
import { writeExperiment } from '../support/tokenfuse.js';

/** A command that writes, and what it needs. */
export interface TortureCommand {
  readonly name: string;
  readonly words: readonly string[];
  /** What goes on after an interruption, where that is not the same words. */
  readonly again?: readonly string[];
  /** The run directory of a command that trains. */
  readonly runDir?: string;
  /** Files and folders of the workshop that are there before it runs. */
  readonly inputs: readonly string[];
  /** Its share of the interruptions: cheap commands get more. */
  readonly share: number;
  /** Whether it starts processes of its own. */
  readonly severalProcesses?: boolean;
}

const STAGES = ['scenes', 'tokenizer', 'vision', 'language', 'merge', 'align', 'evaluate'] as const;
const STAGE_FILES = STAGES.map((stage) => `${stage}.yaml`);
const OFFICIAL_WEIGHTS = 'official.safetensors';

/** Every command that writes, in an order in which each finds what it needs. */
export function tortureCommands(engine: string): TortureCommand[] {
  const computing = engine === 'auto' ? [] : ['--engine', engine];
  const training = (runDir: string, words: readonly string[]) => ({
    words: [...words, ...computing],
    again: [...words, ...computing, '--resume'],
    runDir,
  });
  const scoring = ['score', 'captions/seen.json', '--references', 'data/test_seen/captions.json', '--samples', '10'];
  return [
    { name: 'scenes', words: ['scenes', 'scenes.yaml'], inputs: ['scenes.yaml'], share: 12 },
    {
      name: 'tokenizer train',
      words: ['tokenizer', 'train', 'tokenizer.yaml'],
      inputs: ['tokenizer.yaml', 'data'],
      share: 8,
    },
    {
      name: 'train vision',
      ...training('vision', ['train', 'vision.yaml']),
      inputs: ['vision.yaml', 'data'],
      share: 16,
    },
    {
      name: 'train language',
      ...training('language', ['train', 'language.yaml']),
      inputs: ['language.yaml', 'data', 'tokenizer'],
      share: 12,
    },
    {
      name: 'tune',
      ...training('tune', ['tune', 'tune.yaml']),
      inputs: ['tune.yaml', 'data', 'language'],
      share: 12,
    },
    { name: 'merge', words: ['merge', 'merge.yaml'], inputs: ['merge.yaml', 'vision', 'language'], share: 10 },
    {
      name: 'align',
      ...training('align', ['align', 'align.yaml']),
      inputs: ['align.yaml', 'data', 'merged'],
      share: 16,
    },
    { name: 'extract-bridge', words: ['extract-bridge', 'align', 'bridge.safetensors'], inputs: ['align'], share: 4 },
    {
      name: 'attach-bridge',
      words: ['attach-bridge', 'merged', 'bridge.safetensors', 'joined'],
      inputs: ['merged', 'bridge.safetensors'],
      share: 4,
    },
    {
      name: 'caption',
      words: [
        ...['caption', 'align', 'data/test_seen/images', '--out', 'captions/seen.json'],
        ...['--batch-size', '2', '--max-tokens', '8', ...computing],
      ],
      inputs: ['data', 'align'],
      share: 8,
    },
    {
      name: 'evaluate',
      words: ['evaluate', 'evaluate.yaml', ...computing],
      inputs: ['evaluate.yaml', 'data', 'align'],
      share: 2,
    },
    { name: 'inspect', words: ['inspect', 'align', '--limit', '4', ...computing], inputs: ['data', 'align'], share: 4 },
    { name: 'unmerge', words: ['unmerge', 'align', 'parts'], inputs: ['align'], share: 6 },
    {
      name: 'shrink',
      words: ['shrink', 'language', 'shrunk', '--share', '0.25', '--batches', '2', ...computing],
      inputs: ['language', 'data', 'tokenizer'],
      share: 2,
    },
    {
      name: 'grow',
      words: ['grow', 'align', 'grown', '--factor', '2', '--backbone', 'language', ...computing],
      inputs: ['align'],
      share: 4,
    },
    {
      name: 'convert',
      words: ['convert', OFFICIAL_WEIGHTS, 'converted'],
      inputs: [OFFICIAL_WEIGHTS],
      share: 2,
    },
    {
      name: 'score per image',
      words: [...scoring, '--per-image', 'scores.csv'],
      inputs: ['data', 'captions'],
      share: 4,
    },
    { name: 'score idf', words: [...scoring, '--write-idf', 'idf.json'], inputs: ['data', 'captions'], share: 2 },
    {
      name: 'init',
      words: ['init', 'mine', '--captions', 'data/pairs/train/captions.json', '--yes'],
      inputs: ['data'],
      share: 6,
    },
    {
      name: 'run',
      words: ['run', 'pipeline.yaml', '--root', 'runs', ...computing],
      inputs: ['pipeline.yaml', ...STAGE_FILES],
      share: 0.5,
      severalProcesses: true,
    },
    {
      name: 'study',
      words: ['study', 'study.yaml', '--out', 'study', ...computing],
      inputs: ['study.yaml', ...STAGE_FILES],
      share: 0.4,
      severalProcesses: true,
    },
  ];
}

/** Writes the experiment files and foreign inputs of all commands; what commands make for others is missing still. */
export function writeExperiments(workshop: string): void {
  const pipeline = writeMiniPipeline(workshop);
  // A second alignment would take time and show nothing new.
  const { upperBound: _, ...rest } = parse(readFileSync(pipeline, 'utf8')) as { kind: string; upperBound: unknown };
  writeExperiment(workshop, rest);
  writeExperiment(workshop, {
    kind: 'study',
    name: 'mini',
    seeds: [1],
    ...Object.fromEntries(STAGES.map((stage) => [stage, `${stage}.yaml`])),
    pairs: [6],
    controlsOf: 'bridge',
    scores: ['NLL', 'CIDEr-D'],
    withoutControls: ['controls.randomVision=false', 'controls.nearestNeighbour=false', 'retrieval.poolSize=0'],
    rows: [
      { name: 'zero trained', merge: [], align: false },
      { name: 'bridge', merge: [], align: [] },
    ],
  });
  const lines = { documents: 'line', layout: 'documents', seqLen: 16 };
  writeExperiment(workshop, {
    kind: 'tune',
    name: 'tune',
    model: 'language',
    group: { name: 'captions', tokens: 2 },
    language: {
      data: { files: ['data/language/val.txt'], validationShare: 0.3, ...lines },
    },
    training: { steps: 6, batchSize: 4, learningRate: 0.01, evaluateEvery: 3, checkpointEvery: 2 },
  });
  writeOfficialWeights(join(workshop, OFFICIAL_WEIGHTS));
}

/** A language model of one block under its official names, with the vocabulary of tiktoken's gpt2. */
function writeOfficialWeights(path: string): void {
  const width = 4;
  const rows = (name: string): number =>
    name.includes('embedding') ? 50_304 : name.includes('.mlp.') ? 6 : name.includes('.norm.') ? 0 : 3;
  const tensors = [...officialNames(1).values()].map((name, at): [string, HostTensor] => {
    const shape = rows(name) === 0 ? [width] : [rows(name), width];
    const values = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => ((i + at) % 17) / 17);
    return [name, { shape, values }];
  });
  writeSafetensors(path, new Map(tensors), { h: '2', rot: '0.5', act: 'l2_norm_gelu', seq: '16' });
}

/** A folder in which the command can run, with nothing of its own. */
export function prepareFolder(command: TortureCommand, workshop: string, folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const input of command.inputs) {
    const [from, to] = [join(workshop, input), join(folder, input)];
    if (!existsSync(from)) throw new Error(`expected ${from}, which ${command.name} needs`);
    mkdirSync(dirname(to), { recursive: true });
    if (input.includes('.')) copyFileSync(from, to);
    else cpSync(from, to, { recursive: true });
  }
}
