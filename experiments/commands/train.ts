import { LanguageExperiment, trainLanguage } from '#language';
import { COLUMNS, type Command, wrapText } from '#src/cli';
import { initInputs, inRunDirectory } from '#src/training';
import { trainVision, VisionExperiment } from '#vision';
import { parseExperimentOf } from '../config/parseExperiment.js';
import { ENGINE_OPTIONS, EXPERIMENT_OPTIONS, foldersOf, runOptionsOf, startEngine } from '../options/index.js';

/** `tokenfuse train`: pretrains one backbone. */
export const trainCommand: Command = {
  name: 'train',
  summary: 'Pretrain a vision or a language backbone',
  positionals: [{ name: 'experiment.yaml', description: 'an experiment of kind vision or language' }],
  options: { ...EXPERIMENT_OPTIONS, ...ENGINE_OPTIONS },
  run: async (args, output) => {
    const path = args.positionals[0];
    const experiment = parseExperimentOf(path, ['vision', 'language'], args.texts('set'));
    const folders = foldersOf(args);
    const engine = await startEngine(args, output, experiment.training.matmulPrecision);
    const runDir = folders.out(experiment);
    const schema = experiment.kind === 'vision' ? VisionExperiment : LanguageExperiment;
    const options = { ...runOptionsOf(args, output), schema };
    const context = { ...folders, runDir, output, resume: options.resume };
    const inputs = initInputs(experiment.initFrom, folders.root);
    const provenance = {
      ...{ command: args.commandLine, config: experiment, seed: experiment.seed, engine },
      ...(inputs && { inputs }),
    };
    const result = await inRunDirectory(runDir, provenance, options, () =>
      experiment.kind === 'vision' ? trainVision(experiment, context) : trainLanguage(experiment, context),
    );
    const metrics = Object.entries(result.last).map(([name, value]) => `${name} ${value.toFixed(4)}`);
    for (const line of wrapText(metrics.join(', '), COLUMNS)) output.line(line);
    output.line(`best at step ${result.bestStep}; run in ${runDir}`);
    return { runDir, engine, ...result };
  },
};
