import { resolve } from 'node:path';
import { type Command, renderTable } from '#src/cli';
import { ConfigError } from '#src/errors';
import type { StackConfig } from '#src/stacks';
import { inOutputEntry, takenProblem } from '#src/storage';
import { LAYER_NAMES, stackGroups } from '#src/tokenformer';
import {
  findCheckpoint,
  openCheckpointFolder,
  padMoments,
  type ResumeData,
  readTrainingState,
  trainingHistory,
  writeCheckpoint,
} from '#src/training';
import { mlpHidden } from '#src/transformer';
import {
  type Backbone,
  type FunctionChange,
  functionChange,
  GROWTH_OPTIONS,
  type GrownCheckpoint,
  grownCheckpoint,
  growthOf,
} from '../growth/index.js';
import { ENGINE_OPTIONS, OVERWRITE_OPTION, startEngine, wholeNumber } from '../options/index.js';

/** `tokenfuse grow`: a larger model out of a trained one. */
export const growCommand: Command = {
  name: 'grow',
  summary: 'Make a larger model out of a trained one: more parameter tokens or blocks',
  details:
    'Writes a checkpoint that training starts from with initFrom. What the model computes before and after is compared on random input.',
  positionals: [
    { name: 'model', description: 'a vision, language, merged or aligned model: run directory or checkpoint' },
    { name: 'out', description: 'folder of the new checkpoint' },
  ],
  options: {
    ...GROWTH_OPTIONS,
    backbone: { description: 'of a merged model: which one grows', placeholder: 'vision|language' },
    optimizer: {
      description: 'moments of AdamW: none (default), or those of the checkpoint with zeros for what is new',
      placeholder: 'reset|keep',
    },
    seed: { description: 'draws what is new (default: 0)', placeholder: 'n' },
    ...OVERWRITE_OPTION,
    ...ENGINE_OPTIONS,
  },
  run: async (args, output) => {
    const [model, out] = args.positionals;
    const growth = growthOf(args);
    const backbone = choiceOf(args.text('backbone'), 'backbone', ['vision', 'language']);
    const optimizer = choiceOf(args.text('optimizer'), 'optimizer', ['reset', 'keep']) ?? 'reset';
    const seed = wholeNumber(args, 'seed', 0, 0);
    const outDir = resolve(out);
    const overwrite = { overwrite: args.flag('overwrite'), say: output.line };
    const taken = overwrite.overwrite ? undefined : takenProblem(outDir);
    if (taken !== undefined) throw new ConfigError(taken);
    const directory = findCheckpoint(model);
    const { checkpoint, before, after, moments } = grownCheckpoint(directory, growth, seed, backbone);
    const resume = optimizer === 'keep' ? grownOptimizer(directory, after, moments) : trainingHistory(directory);
    await startEngine(args, output);
    const change = await functionChange(before, after);
    await inOutputEntry(outDir, overwrite, () => writeCheckpoint(outDir, checkpoint, resume));
    output.line(sizeTable(before, after));
    const [from, to] = [before, after].map(countParameters);
    output.line(`parameters  ${from.toLocaleString('en-US')} before, ${to.toLocaleString('en-US')} after`);
    output.line(`function    ${changeText(change)}`);
    output.line(`written     ${outDir}`);
    return { outDir, growth, seed, parameters: { before: from, after: to }, functionChange: change };
  },
};

/** What the growth did to the function, in words. */
function changeText({ of, largest, scale }: FunctionChange): string {
  if (largest === 0) return `${of} are equal on random input`;
  return `${of} differ by at most ${largest.toExponential(1)} on random input (largest ${scale.toFixed(2)})`;
}

function choiceOf<T extends string>(text: string | undefined, name: string, choices: readonly T[]): T | undefined {
  if (text === undefined) return undefined;
  const choice = choices.find((candidate) => candidate === text);
  if (choice === undefined) throw new ConfigError(`--${name}: expected ${choices.join(' or ')}, got '${text}'`);
  return choice;
}

/** The state of training, its moments in the shapes of the larger model. */
function grownOptimizer(directory: string, { tensors }: Backbone, moments: GrownCheckpoint['moments']): ResumeData {
  if (!openCheckpointFolder(directory).has('optimizer.safetensors')) {
    throw new ConfigError(`--optimizer keep: ${directory} has no optimizer.safetensors; leave the option out`);
  }
  const { optimizer, state } = readTrainingState(directory);
  const grown = moments(optimizer);
  const trained = new Set([...grown.keys()].map((key) => key.slice(0, key.lastIndexOf('/'))));
  const shapes = new Map([...tensors].filter(([name]) => trained.has(name)).map(([name, { shape }]) => [name, shape]));
  return { optimizer: padMoments(grown, shapes, directory), state };
}

function countParameters({ tensors }: Backbone): number {
  return [...tensors].reduce((sum, [name, { values }]) => sum + (name.endsWith('/tau') ? 0 : values.length), 0);
}

/** What has grown: parameter tokens of every layer of a block, by group; or the sizes of a Transformer. */
function sizeTable(before: Backbone, after: Backbone): string {
  const [from, to] = [before, after].map(({ config }) => config.stack);
  const blocks = from.numLayers === to.numLayers ? [] : [['blocks', '', String(from.numLayers), String(to.numLayers)]];
  if (from.kind === 'transformer' || to.kind === 'transformer') {
    const sizes = (stack: StackConfig): Record<string, number> =>
      stack.kind === 'transformer'
        ? { features: stack.dModel, heads: stack.numHeads, 'hidden units': mlpHidden(stack), blocks: stack.numLayers }
        : {};
    const now = sizes(to);
    const rows = Object.entries(sizes(from)).map(([name, size]) => [name, String(size), String(now[name])]);
    return renderTable(['', 'before', 'after'], rows);
  }
  const old = new Map(stackGroups(from, before.kind).map(({ name, paramTokens }) => [name, paramTokens]));
  const rows = stackGroups(to, after.kind).flatMap(({ name, paramTokens }) =>
    LAYER_NAMES.filter((layer) => paramTokens[layer] > 0).map((layer) => [
      layer,
      name,
      String(old.get(name)?.[layer] ?? 0),
      String(paramTokens[layer]),
    ]),
  );
  return renderTable(['layer', 'group', 'tokens before', 'after'], [...rows, ...blocks]);
}
