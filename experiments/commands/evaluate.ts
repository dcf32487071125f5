import { evaluate } from '#fusion';
import type { Command } from '#src/cli';
import { ENGINE_OPTIONS, startEngine } from '../engineOption.js';
import { EXPERIMENT_OPTIONS, placesOf } from '../experimentOptions.js';
import { parseExperimentOf } from '../parseExperiment.js';

const { set, root, out, 'cache-dir': cacheDir } = EXPERIMENT_OPTIONS;

/** `tokenfuse evaluate`: captions test sets and scores the captions beside their controls. */
export const evaluateCommand: Command = {
  name: 'evaluate',
  summary: 'Caption test sets and score the captions beside their controls.',
  positionals: [{ name: 'experiment.yaml', description: 'an experiment of kind evaluate' }],
  options: { set, root, out, 'cache-dir': cacheDir, ...ENGINE_OPTIONS },
  run: async (args, output) => {
    const experiment = parseExperimentOf(args.positionals[0], ['evaluate'], args.texts('set'));
    const places = placesOf(args);
    const engine = await startEngine(args, output);
    const outDir = places.out(experiment.name);
    const { sets } = await evaluate(experiment, { ...places, outDir, output });
    output.line(`predictions and scores in ${outDir}`);
    return { outDir, engine, sets: sets.map(({ name, numImages, rows }) => ({ name, numImages, rows })) };
  },
};
