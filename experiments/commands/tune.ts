import { resolve } from 'node:path';
import { TuneExperiment, tune } from '#fusion';
import { COLUMNS, type Command, wrapText } from '#src/cli';
import { checkpointDigests, inRunDirectory } from '#src/training';
import { parseExperimentOf } from '../config/parseExperiment.js';
import { ENGINE_OPTIONS, EXPERIMENT_OPTIONS, foldersOf, runOptionsOf, startEngine } from '../options/index.js';

/** `tokenfuse tune`: trains a group for a task beside a frozen backbone. */
export const tuneCommand: Command = {
  name: 'tune',
  summary: 'Train a group of parameter tokens for a task beside a frozen backbone',
  details:
    'The backbone stays as it is; its SHA-256 is compared at the end. The group of the best step is written to ' +
    '<out>/<group>.safetensors, which generate, caption and evaluate take by --group.',
  positionals: [{ name: 'experiment.yaml', description: 'an experiment of kind tune' }],
  options: { ...EXPERIMENT_OPTIONS, ...ENGINE_OPTIONS },
  run: async (args, output) => {
    const experiment = parseExperimentOf(args.positionals[0], ['tune'], args.texts('set'));
    const folders = foldersOf(args);
    const engine = await startEngine(args, output, experiment.training.matmulPrecision);
    const runDir = folders.out(experiment);
    const options = { ...runOptionsOf(args, output), schema: TuneExperiment };
    const inputs = checkpointDigests({ model: resolve(folders.root, experiment.model) });
    const provenance = { command: args.commandLine, config: experiment, seed: experiment.seed, engine, inputs };
    const result = await inRunDirectory(runDir, provenance, options, () =>
      tune(experiment, { ...folders, runDir, output, resume: options.resume }),
    );
    const metrics = Object.entries(result.last).map(([name, value]) => `${name} ${value.toFixed(4)}`);
    for (const line of wrapText(metrics.join(', '), COLUMNS)) output.line(line);
    output.line(
      result.group === null
        ? 'all parameters were trained, in a copy'
        : `backbone kept, by SHA-256; group of step ${result.bestStep} in ${result.group}`,
    );
    output.line(`best at step ${result.bestStep}; run in ${runDir}`);
    return { runDir, engine, ...result };
  },
};
