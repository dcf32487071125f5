import { resolve } from 'node:path';
import { AlignExperiment, align } from '#fusion';
import { sceneProbe } from '#scenes';
import type { Command } from '#src/cli';
import { checkpointDigests, initInputs, inRunDirectory } from '#src/training';
import { parseExperimentOf } from '../config/parseExperiment.js';
import { ENGINE_OPTIONS, EXPERIMENT_OPTIONS, foldersOf, runOptionsOf, startEngine } from '../options/index.js';

/** `tokenfuse align`: trains what joins two frozen backbones. */
export const alignCommand: Command = {
  name: 'align',
  summary: 'Train the bridge groups of a merged model on image-caption pairs',
  details: 'Both backbones stay frozen; their SHA-256 hashes are compared at the end.',
  positionals: [{ name: 'experiment.yaml', description: 'an experiment of kind align' }],
  options: { ...EXPERIMENT_OPTIONS, ...ENGINE_OPTIONS },
  run: async (args, output) => {
    const path = args.positionals[0];
    const experiment = parseExperimentOf(path, ['align'], args.texts('set'));
    const folders = foldersOf(args);
    const engine = await startEngine(args, output, experiment.training.matmulPrecision);
    const runDir = folders.out(experiment);
    const options = { ...runOptionsOf(args, output), schema: AlignExperiment };
    const context = { ...folders, runDir, output, resume: options.resume };
    const inputs = {
      ...checkpointDigests({ model: resolve(folders.root, experiment.model) }),
      ...initInputs(experiment.initFrom, folders.root),
    };
    const provenance = { command: args.commandLine, config: experiment, seed: experiment.seed, engine, inputs };
    const result = await inRunDirectory(runDir, provenance, options, () =>
      align(experiment, { ...context, probe: sceneProbe }),
    );
    const { backbonesKept, bestStep, bestValue } = result;
    output.line(`validation caption NLL ${bestValue.toFixed(4)} nats/token at step ${bestStep}`);
    output.line(
      backbonesKept === null
        ? 'backbones trained too (train: all)'
        : `${backbonesKept.kept} of ${backbonesKept.total} backbone tensors kept, by SHA-256`,
    );
    output.line(`run in ${runDir}`);
    return { runDir, engine, ...result };
  },
};
