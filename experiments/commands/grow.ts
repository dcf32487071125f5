import { resolve } from 'node:path';
import { type Command, renderTable } from '#src/cli';
import { ConfigError } from '#src/errors';
import { inOutputEntry, takenProblem } from '#src/storage';
import { LAYER_NAMES, stackGroups } from '#src/tokenformer';
import {
  findCheckpoint,
  openCheckpointFolder,
  padMoments,
  type ResumeData,
  readTrainingState,
  writeCheckpoint,
} from '#src/training';
import {
  type Backbone,
  type FunctionChange,
  functionChange,
  GROWTH_OPTIONS,
  grownCheckpoint,
  growthOf,
} from '../growth/index.js';
import { ENGINE_OPTIONS, OVERWRITE_OPTION, startEngine, wholeNumber } from '../options/index.js';

/** `tokenfuse grow`: a larger model out of a trained one. */
export const growCommand: Command = {
  name: 'grow',
  summary: 'Append parameter tokens or blocks to a trained model',
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
    const { checkpoint, before, after } = grownCheckpoint(directory, growth, seed, backbone);
    const resume = optimizer === 'keep' ? paddedOptimizer(directory, after) : undefined;
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
function paddedOptimizer(directory: string, { tensors }: Backbone): ResumeData {
  if (!openCheckpointFolder(directory).has('optimizer.safetensors')) {
    throw new ConfigError(`--optimizer keep: ${directory} has no optimizer.safetensors; leave the option out`);
  }
  const { optimizer, state } = readTrainingState(directory);
  const trained = new Set([...optimizer.keys()].map((key) => key.slice(0, key.lastIndexOf('/'))));
  const shapes = new Map([...tensors].filter(([name]) => trained.has(name)).map(([name, { shape }]) => [name, shape]));
  return { optimizer: padMoments(optimizer, shapes, directory), state };
}

function countParameters({ tensors }: Backbone): number {
  return [...tensors].reduce((sum, [name, { values }]) => sum + (name.endsWith('/tau') ? 0 : values.length), 0);
}

/** Parameter tokens of every layer of a block, by group. */
function sizeTable(before: Backbone, after: Backbone): string {
  const sizes = ({ config, kind }: Backbone) => stackGroups(config.stack, kind);
  const old = new Map(sizes(before).map(({ name, paramTokens }) => [name, paramTokens]));
  const rows = sizes(after).flatMap(({ name, paramTokens }) =>
    LAYER_NAMES.filter((layer) => paramTokens[layer] > 0).map((layer) => [
      layer,
      name,
      String(old.get(name)?.[layer] ?? 0),
      String(paramTokens[layer]),
    ]),
  );
  const [from, to] = [before, after].map(({ config }) => config.stack.numLayers);
  return renderTable(
    ['layer', 'group', 'tokens before', 'after'],
    [...rows, ...(from === to ? [] : [['blocks', '', String(from), String(to)]])],
  );
}
