import type { Command } from '#src/cli';
import { ENGINE_OPTIONS, startEngine } from '../engineOption.js';
import { EXPERIMENT_OPTIONS, placesOf } from '../experimentOptions.js';
import { parseExperimentOf } from '../parseExperiment.js';
import { alignStage } from '../stages.js';

/** `tokenfuse align`: trains what joins two frozen backbones. */
export const alignCommand: Command = {
  name: 'align',
  summary: 'Train the bridge groups of a merged model on image-caption pairs.',
  details: 'Both backbones stay frozen; their SHA-256 hashes are compared at the end.',
  positionals: [{ name: 'experiment.yaml', description: 'an experiment of kind align' }],
  options: { ...EXPERIMENT_OPTIONS, ...ENGINE_OPTIONS },
  run: async (args, output) => {
    const path = args.positionals[0];
    const experiment = parseExperimentOf(path, ['align'], args.texts('set'));
    const places = placesOf(args);
    const engine = await startEngine(args, output, experiment.training.matmulPrecision);
    const runDir = places.out(experiment.name);
    const result = await alignStage(experiment, {
      ...places,
      runDir,
      resume: args.flag('resume'),
      engine,
      command: `tokenfuse align ${path}`,
      output,
    });
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
