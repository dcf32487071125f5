import { resolve } from 'node:path';
import type { Arguments, Command } from '#src/cli';
import { ConfigError } from '#src/errors';
import { inOutputEntry, takenProblem } from '#src/storage';
import { AMOUNT_FORMS, LAYER_NAMES, parseTokenAmount, type Shrinkage } from '#src/tokenformer';
import { findCheckpoint, trainingHistory, writeCheckpoint } from '#src/training';
import { tokensByLayer } from '../growth/index.js';
import {
  ENGINE_OPTIONS,
  EXPERIMENT_OPTIONS,
  foldersOf,
  OVERWRITE_OPTION,
  startEngine,
  wholeNumber,
} from '../options/index.js';
import { shrinkRun } from '../shrink/index.js';

const { root, 'cache-dir': cacheDir } = EXPERIMENT_OPTIONS;

/** `tokenfuse shrink`: a smaller model out of a trained one. */
export const shrinkCommand: Command = {
  name: 'shrink',
  summary: 'Drop the least used parameter tokens of a trained backbone, or all but the first ones',
  details:
    "The use of each token, mean |S_i| ‖V_i‖, is measured on the run's own training data, and the loss on its validation data before and after. " +
    'The first tokens of each group are a smaller model where training.nested trained them so (docs/elastic.md).',
  positionals: [
    { name: 'run', description: 'run directory of a vision or language backbone' },
    { name: 'out', description: 'folder of the new checkpoint' },
  ],
  options: {
    share: { description: 'share of the parameter tokens of every layer to drop, between 0 and 1', placeholder: 'x' },
    tokens: {
      description: `parameter tokens to drop, by layer (${LAYER_NAMES.join(', ')}): query=16,ffn=64`,
      placeholder: 'layer=n,…',
    },
    prefix: {
      description: `first parameter tokens of each group to keep: ${AMOUNT_FORMS}`,
      placeholder: 'n',
    },
    batches: { description: 'batches of training data to measure on (default: 32)', placeholder: 'n' },
    root,
    'cache-dir': cacheDir,
    ...OVERWRITE_OPTION,
    ...ENGINE_OPTIONS,
  },
  run: async (args, output) => {
    const [run, out] = args.positionals;
    const shrinkage = shrinkageOf(args);
    const batches = wholeNumber(args, 'batches', 1, 32);
    const outDir = resolve(out);
    const overwrite = { overwrite: args.flag('overwrite'), say: output.line };
    const taken = overwrite.overwrite ? undefined : takenProblem(outDir);
    if (taken !== undefined) throw new ConfigError(taken);
    await startEngine(args, output);
    const folders = foldersOf(args);
    const { checkpoint, parameters, metrics, metric } = await shrinkRun(resolve(run), shrinkage, {
      ...folders,
      batches,
    });
    await inOutputEntry(outDir, overwrite, () =>
      writeCheckpoint(outDir, checkpoint, trainingHistory(findCheckpoint(resolve(run)))),
    );
    const name = metric.replace('/', ' ');
    const { before, after } = parameters;
    output.line(`parameters  ${before.toLocaleString('en-US')} before, ${after.toLocaleString('en-US')} after`);
    output.line(`${name} ${metrics.before[metric].toFixed(4)} before, ${metrics.after[metric].toFixed(4)} after`);
    output.line(`written     ${outDir}`);
    return { outDir, parameters, metrics };
  },
};

function shrinkageOf(args: Arguments): Shrinkage {
  const [share, tokens, prefix] = ['share', 'tokens', 'prefix'].map((name) => args.text(name));
  const given = ['--share', '--tokens', '--prefix'].filter((_, i) => [share, tokens, prefix][i] !== undefined);
  if (given.length === 0) {
    throw new ConfigError('expected --share, --tokens or --prefix: how many parameter tokens to drop or to keep');
  }
  if (given.length > 1)
    throw new ConfigError(`expected one of --share, --tokens and --prefix, got ${given.join(' and ')}`);
  if (prefix !== undefined) {
    const amount = parseTokenAmount(prefix);
    if (amount === undefined) throw new ConfigError(`--prefix: expected ${AMOUNT_FORMS}, got '${prefix}'`);
    return { prefix: amount };
  }
  const byLayer = tokensByLayer(tokens);
  if (byLayer !== undefined) return { tokens: byLayer };
  if (/^0?\.\d+$/.test(share ?? '') && Number(share) > 0) return { share: Number(share) };
  throw new ConfigError(`--share: expected a number between 0 and 1, got '${share}'`);
}
