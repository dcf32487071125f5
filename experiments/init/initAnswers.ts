import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { hashTextSource } from '#language';
import type { Arguments } from '#src/cli';
import { ConfigError, UserError } from '#src/errors';
import { type CaptionFiles, readCaptionData, readCaptionFiles } from './captionData.js';
import { MODEL_SIZES, modelSizeOf } from './modelSize.js';

/** What `init` has to know, as the user typed it. */
export interface InitAnswers extends CaptionFiles {
  readonly text: string | undefined;
  readonly size: string;
  readonly imageSize: string | undefined;
}

/** Asks for one line; an empty one stands for the default, if there is one. */
export type Ask = (question: string) => Promise<string>;

/**
 * The answers that the options give; with `--captions` or `--yes`, or without `ask`, nothing is asked and all others have defaults.
 * What is asked is checked at once, and asked again with the reason until it will do.
 *
 * @param ask undefined where there is no terminal
 * @param tell shows why an answer will not do
 * @throws ConfigError when nothing says where the captions are
 */
export async function initAnswers(
  args: Arguments,
  ask: Ask | undefined,
  tell: (line: string) => void,
): Promise<InitAnswers> {
  const given = {
    // A folder of images may hold a text file for each.
    captions: args.text('captions') ?? args.text('images'),
    validation: args.text('validation'),
    test: args.text('test'),
    images: args.text('captions') === undefined ? undefined : args.text('images'),
    text: args.text('text'),
    size: args.text('size') ?? 'small',
    imageSize: args.text('image-size'),
  };
  const { captions } = given;
  if (captions !== undefined && (args.text('captions') !== undefined || args.flag('yes') || ask === undefined)) {
    return { ...given, captions };
  }
  if (ask === undefined || args.flag('yes')) {
    throw new ConfigError('init: expected --captions <file or folder>, the captions of your images; got none');
  }
  modelSizeOf(given.size, given.imageSize);
  if (given.text !== undefined) checkText(given.text);
  const answer = async (
    question: string,
    instead: string | undefined,
    check: (answer: string | undefined) => void,
  ): Promise<string | undefined> => {
    for (;;) {
      const text = (await ask(`${question}${instead === undefined ? '' : ` (${instead})`}: `)).trim() || instead;
      try {
        check(text);
        return text;
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        tell(error.message);
      }
    }
  };

  const images = await answer('Folder of the images', args.text('images'), checkFolder);
  const files = { validation: given.validation, test: given.test };
  const filesWith = (more: Partial<CaptionFiles> & Pick<CaptionFiles, 'captions'>): CaptionFiles => ({
    ...files,
    images: more.captions === images ? undefined : images,
    ...more,
  });
  const asked = (await answer(
    'Captions: a JSON, CSV or token file, or a folder with a text file beside each image',
    images,
    (text) => {
      if (text === undefined) throw new ConfigError('expected the captions of your images, got none');
      // Those of a split alone may be few.
      readCaptionData(text, text === images ? undefined : images, undefined, 1);
    },
  )) as string;
  for (const [split, words] of [
    ['validation', 'val'],
    ['test', 'test'],
  ] as const) {
    if (files[split] !== undefined) continue;
    const question = `Captions of the ${split} images, if they are in a file of their own; - if not`;
    const found = await answer(question, siblingOf(asked, words) ?? '-', (text) => {
      if (text !== undefined && text !== '-') readCaptionFiles(filesWith({ captions: asked, [split]: text }));
    });
    if (found !== '-') files[split] = found;
  }
  const text =
    given.text ??
    (await answer('Text for the language backbone; empty for the captions', undefined, (path) => {
      if (path !== undefined) checkText(path);
    }));
  const size = (args.text('size') ??
    (await answer('Model size, small or medium', 'small', (name) => modelSizeOf(name as string, undefined)))) as string;
  const standard = MODEL_SIZES[size as keyof typeof MODEL_SIZES]?.imageSize;
  const imageSize =
    given.imageSize ??
    (await answer('Image size in pixels', standard && String(standard), (pixels) => modelSizeOf(size, pixels)));
  return { ...filesWith({ captions: asked }), text, size, imageSize };
}

/** The captions file of another split, by the name of that for training: captions_val.json beside captions_train.json. */
function siblingOf(path: string, split: 'val' | 'test'): string | undefined {
  const names = split === 'val' ? ['val', 'validation', 'valid'] : ['test'];
  return names
    .map((name) => join(dirname(path), basename(path).replace(/train(?:ing)?/i, name)))
    .find((candidate) => candidate !== join(dirname(path), basename(path)) && existsSync(candidate));
}

function checkFolder(path: string | undefined): void {
  if (path === undefined || statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  throw new ConfigError(`expected a folder of image files, got ${path}`);
}

/** @throws UserError for what is not a file of text */
export function checkText(path: string): void {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) {
    throw new ConfigError(`--text: expected a text or JSONL file, got ${path}`);
  }
  hashTextSource(path);
}
