import type { Command } from '#src/cli';
import { ENGINE_OPTIONS, startEngine } from '../engineOption.js';
import { EXPERIMENT_OPTIONS, placesOf } from '../experimentOptions.js';
import { parseExperimentOf } from '../parseExperiment.js';
import { trainStage } from '../stages.js';

/** `tokenfuse train`: pretrains one backbone. */
export const trainCommand: Command = {
  name: 'train',
  summary: 'Pretrain a vision or a language backbone from an experiment file.',
  positionals: [{ name: 'experiment.yaml', description: 'an experiment of kind vision or language' }],
  options: { ...EXPERIMENT_OPTIONS, ...ENGINE_OPTIONS },
  run: async (args, output) => {
    const path = args.positionals[0];
    const experiment = parseExperimentOf(path, ['vision', 'language'], args.texts('set'));
    const places = placesOf(args);
    const engine = await startEngine(args, output, experiment.training.matmulPrecision);
    const runDir = places.out(experiment.name);
    const result = await trainStage(experiment, {
      ...places,
      runDir,
      resume: args.flag('resume'),
      engine,
      command: `tokenfuse train ${path}`,
      output,
    });
    const metrics = Object.entries(result.last).map(([name, value]) => `${name} ${value.toFixed(4)}`);
    output.line(metrics.join(', '));
    output.line(`best at step ${result.bestStep}; run in ${runDir}`);
    return { runDir, engine, ...result };
  },
};
