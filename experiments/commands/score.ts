import {
  captionSourceArgument,
  captionSourceName,
  captionsById,
  loadCaptions,
  readPredictions,
  refuseOtherPredictions,
} from '#captions/formats';
import { documentFrequencies } from '#captions/metrics';
import {
  checkPerImagePath,
  readDocumentFrequencies,
  scoreReport,
  scoreTable,
  writeDocumentFrequencies,
  writePerImage,
} from '#captions/scoring';
import type { Command } from '#src/cli';
import { ConfigError, UserError } from '#src/errors';
import { inOutputEntry, takenProblem } from '#src/storage';
import { wholeNumber } from '../options/index.js';

/** `tokenfuse score`: a predictions file against references, without a model. */
export const scoreCommand: Command = {
  name: 'score',
  summary: 'Score a predictions file against references, with 95 % intervals',
  details:
    'BLEU-1..4, ROUGE-L, CIDEr-D as pycocoevalcap has them, after its Penn Treebank tokenizer; METEOR and SPICE where ' +
    'their jars are given. References: any caption format, a path or {format: karpathy, path: ..., split: test}.',
  positionals: [{ name: 'predictions.json', description: 'captions in COCO results format' }],
  options: {
    references: { description: 'ground-truth captions, any format', placeholder: 'captions' },
    train: { description: 'training captions, for the share of novel ones', placeholder: 'captions' },
    subset: { description: 'score only the images that have a prediction' },
    pretokenized: { description: 'captions are tokens separated by spaces: do not tokenize them' },
    idf: { description: "document frequencies for CIDEr-D, instead of the references' own", placeholder: 'file.json' },
    'write-idf': { description: "write the references' document frequencies", placeholder: 'file.json' },
    'per-image': { description: 'write the scores of every image', placeholder: 'file.csv|json' },
    overwrite: {
      description: 'move what is at --write-idf and --per-image aside, to names that end in .old-1',
    },
    samples: { description: 'resamples of the images for the intervals (default 1000)', placeholder: 'n' },
    seed: { description: 'draws the resamples (default 0)', placeholder: 'n' },
    'meteor-jar': { description: 'meteor-1.5.jar; needs java on the PATH', placeholder: 'file.jar' },
    'spice-jar': { description: 'spice-1.0.jar; needs java on the PATH', placeholder: 'file.jar' },
    'java-timeout': { description: 'seconds that a jar may take (default 3600)', placeholder: 's' },
  },
  run: async (args, output) => {
    const [predictionsPath] = args.positionals;
    for (const path of args.positionals) refuseOtherPredictions(path);
    const referencesText = args.text('references');
    if (referencesText === undefined) {
      throw new ConfigError('score: expected --references <captions>, the ground-truth captions; got none');
    }
    const perImagePath = args.text('per-image');
    if (perImagePath !== undefined) checkPerImagePath(perImagePath);
    const writeIdf = args.text('write-idf');
    const overwrite = { overwrite: args.flag('overwrite'), say: output.line };
    const taken = [perImagePath, writeIdf].flatMap((path) => (path === undefined ? [] : (takenProblem(path) ?? [])));
    if (taken.length > 0 && !overwrite.overwrite) throw new ConfigError(taken);
    const resampling = { seed: wholeNumber(args, 'seed', 0, 0), samples: wholeNumber(args, 'samples', 1, 1000) };
    const timeoutSeconds = wholeNumber(args, 'java-timeout', 1, 3600);
    const jar = (name: string) => {
      const path = args.text(name);
      return path === undefined ? undefined : { jar: path, timeoutSeconds };
    };
    const [meteor, spice] = [jar('meteor-jar'), jar('spice-jar')];
    const source = captionSourceArgument(referencesText);
    const trainText = args.text('train');
    const trainSource = trainText === undefined ? undefined : captionSourceArgument(trainText);
    const pretokenized = args.flag('pretokenized');
    const tokens = pretokenized ? 'pretokenized' : 'ptb';
    const idfPath = args.text('idf');

    const note = (line: string): void => output.line(line);
    const predictions = readPredictions(predictionsPath);
    const all = captionsById(loadCaptions(source, { note }));
    const references = args.flag('subset') ? new Map([...all].filter(([id]) => predictions.has(id))) : all;
    const unknown = [...predictions.keys()].filter((id) => !references.has(id));
    if (unknown.length > 0 || references.size > predictions.size) {
      throw new UserError(wrongSplit(predictions.size, references.size, unknown, captionSourceName(source)));
    }
    if (writeIdf !== undefined) {
      const frequencies = documentFrequencies(references, { pretokenized });
      await inOutputEntry(writeIdf, overwrite, () => writeDocumentFrequencies(writeIdf, frequencies, tokens));
    }
    const report = await scoreReport(predictions, references, {
      resampling,
      pretokenized,
      documentFrequencies: idfPath === undefined ? undefined : readDocumentFrequencies(idfPath, tokens),
      trainCaptions: trainSource && loadCaptions(trainSource, { note }).flatMap(({ captions }) => captions),
      meteor,
      spice,
    });
    if (perImagePath !== undefined) {
      await inOutputEntry(perImagePath, overwrite, () => writePerImage(perImagePath, report.perImage, predictions));
    }
    output.line(scoreTable(report));
    const { perImage: _, ...summary } = report;
    return { predictions: predictionsPath, ...summary, resampling, tokens, idf: idfPath ?? 'references' };
  },
};

function wrongSplit(numPredicted: number, numReferenced: number, unknown: readonly number[], name: string): string {
  const ids = `${unknown.slice(0, 5).join(', ')}${unknown.length > 5 ? ', ...' : ''}`;
  const said =
    unknown.length > 0
      ? `${unknown.length} predictions are of images it has no captions of (${ids}): the wrong split?`
      : `${numReferenced - numPredicted} images have no prediction: the wrong split? --subset scores the others alone`;
  return `${name}: expected captions of the ${numPredicted} predicted images, got ${numReferenced} images; ${said}`;
}
