import { generateScenes } from '#scenes';
import type { Command } from '#src/cli';
import { parseExperimentOf } from '../config/parseExperiment.js';
import { EXPERIMENT_OPTIONS, foldersOf } from '../options/index.js';

const { set, root, out, overwrite } = EXPERIMENT_OPTIONS;

/** `tokenfuse scenes`: draws the synthetic data. */
export const scenesCommand: Command = {
  name: 'scenes',
  summary: 'Draw scenes with captions, labels and ground truth; the same seed gives the same bytes',
  positionals: [{ name: 'scenes.yaml', description: 'an experiment of kind scenes' }],
  options: { set, root, out, overwrite },
  run: async (args, output) => {
    const experiment = parseExperimentOf(args.positionals[0], ['scenes'], args.texts('set'));
    const outDir = foldersOf(args).out(experiment);
    const result = await generateScenes(experiment.scenes, outDir, { output, overwrite: args.flag('overwrite') });
    output.line(
      `${result.generated ? 'drawn' : 'already there'}: ${result.images} images, ${result.sentences} sentences in ${result.path}`,
    );
    return { ...result };
  },
};
