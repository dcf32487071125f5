import { basename, join, relative, resolve, sep } from 'node:path';
import { bpeEncoding, createTokenizer, trainBpe } from '#language';
import type { Output } from '#src/cli';
import { draftFolder, openOutputEntry, writeFileAtomic } from '#src/storage';
import { type CaptionSplits, readCaptionFiles, splitCaptions, writeCaptionSplits } from './captionData.js';
import { experimentFiles } from './experimentFiles.js';
import { checkText, type InitAnswers } from './initAnswers.js';
import { modelSizeOf } from './modelSize.js';

/** What was written, and what it was made of. */
export interface CreatedExperiment {
  readonly folder: string;
  readonly files: readonly string[];
  readonly format: string;
  readonly images: { readonly train: number; readonly validation: number; readonly test: number };
  readonly captions: number;
}

/**
 * Writes an experiment on the user's images and captions into a new folder; nothing of theirs is changed.
 *
 * @throws ConfigError when the folder is taken, UserError when the data cannot be read
 */
export function createExperiment(path: string, answers: InitAnswers, output: Output): CreatedExperiment {
  const folder = resolve(path);
  const place = openOutputEntry(folder);
  try {
    const draft = draftFolder(folder);
    try {
      const created = writeExperiment(folder, draft.path, answers, output);
      draft.publish();
      return created;
    } finally {
      draft.discard();
    }
  } finally {
    place.release();
  }
}

/** @param aside where it is written before it is moved to `folder` */
function writeExperiment(folder: string, aside: string, answers: InitAnswers, output: Output): CreatedExperiment {
  const size = modelSizeOf(answers.size, answers.imageSize);
  const { text } = answers;
  if (text !== undefined) checkText(text);
  const { format, images, numWithoutCaptions } = readCaptionFiles(answers, (line) => output.line(line));
  const splits = splitCaptions(images);
  const numCaptions = images.reduce((sum, { captions }) => sum + captions.length, 0);
  const count = (n: number): string => n.toLocaleString('en-US');
  output.line(`${format}: ${count(images.length)} images with ${count(numCaptions)} captions`);
  if (numWithoutCaptions > 0) output.line(`${count(numWithoutCaptions)} images without captions are left out`);
  const { train, validation, test } = splits;
  output.line(
    `${count(train.length)} for training, ${count(validation.length)} for validation, ${count(test.length)} for testing: ${
      splits.given ? "the data's own splits" : 'drawn at random with a fixed seed'
    }`,
  );

  const imageFolder = writeCaptionSplits(splits, aside);
  const files = experimentFiles({
    name: basename(folder),
    size,
    seqLen: Math.max(seqLenOf(splits, size.vocabSize), text === undefined ? SHORT_TEXT : LONG_TEXT),
    images: imageFolder,
    text: text === undefined ? undefined : relative(folder, resolve(text)).replaceAll(sep, '/'),
  });
  for (const [name, content] of Object.entries(files)) writeFileAtomic(join(aside, name), content);
  return {
    folder,
    files: Object.keys(files),
    format,
    images: { train: train.length, validation: validation.length, test: test.length },
    captions: numCaptions,
  };
}

/** Least sequence lengths, in tokens: where there are captions alone, and where there is other text. */
const SHORT_TEXT = 32;
const LONG_TEXT = 128;

/** Room that other text in the tokenizer's training may need: it then knows fewer of the captions' own words. */
const MARGIN = 1.5;

/** A sequence length, a multiple of 16, that every caption fits with room to spare. */
function seqLenOf({ train, validation, test }: CaptionSplits, vocabSize: number): number {
  const texts = train.flatMap(({ captions }) => captions);
  const tokenizer = createTokenizer(bpeEncoding(trainBpe({ texts: [texts.join('\n')], vocabSize })));
  try {
    const lengths = [...train, ...validation, ...test].flatMap(({ captions }) =>
      captions.map((caption) => tokenizer.encode(caption).length),
    );
    const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
    return Math.ceil((MARGIN * (longest + 1)) / 16) * 16;
  } finally {
    tokenizer.dispose();
  }
}
