import {
  captionSourceArgument,
  captionsById,
  loadCaptions,
  readPredictions,
  refuseOtherPredictions,
} from '#captions/formats';
import { compareCaptions } from '#captions/metrics';
import { comparisonTable } from '#captions/scoring';
import type { Command } from '#src/cli';
import { ConfigError } from '#src/errors';
import { wholeNumber } from '../options/index.js';

/** `tokenfuse compare`: whether one predictions file is better than another, or only luckier. */
export const compareCommand: Command = {
  name: 'compare',
  summary: 'Compare two predictions files of the same images by a paired bootstrap',
  details: 'For each score: the difference, its 95 % interval, a two-sided p, and on how many images each is better.',
  positionals: [
    { name: 'a.json', description: 'captions in COCO results format' },
    { name: 'b.json', description: 'captions of the same images, to compare with' },
  ],
  options: {
    references: { description: 'ground-truth captions, any format', placeholder: 'captions' },
    pretokenized: { description: 'captions are tokens separated by spaces: do not tokenize them' },
    samples: { description: 'resamples of the images (default 1000)', placeholder: 'n' },
    seed: { description: 'draws the resamples (default 0)', placeholder: 'n' },
  },
  run: async (args, output) => {
    for (const path of args.positionals) refuseOtherPredictions(path);
    const referencesText = args.text('references');
    if (referencesText === undefined) {
      throw new ConfigError('compare: expected --references <captions>, the ground-truth captions; got none');
    }
    const resampling = { seed: wholeNumber(args, 'seed', 0, 0), samples: wholeNumber(args, 'samples', 1, 1000) };
    const pretokenized = args.flag('pretokenized');
    const source = captionSourceArgument(referencesText);
    const [a, b] = args.positionals.map((path) => readPredictions(path));
    const references = captionsById(loadCaptions(source, { note: (line) => output.line(line) }));
    const comparison = compareCaptions(a, b, references, { ...resampling, pretokenized });
    output.line(comparisonTable(comparison));
    const [pathA, pathB] = args.positionals;
    return { a: pathA, b: pathB, ...comparison, resampling };
  },
};
