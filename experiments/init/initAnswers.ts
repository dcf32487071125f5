import type { Arguments } from '#src/cli';
import { ConfigError } from '#src/errors';
import { MODEL_SIZES } from './modelSize.js';

/** What `init` has to know, as the user typed it. */
export interface InitAnswers {
  /** A path, or a source as YAML in braces. */
  readonly captions: string;
  readonly images: string | undefined;
  readonly text: string | undefined;
  readonly size: string;
  readonly imageSize: string | undefined;
}

/** Asks for one line; an empty one stands for the default, if there is one. */
export type Ask = (question: string) => Promise<string>;

/**
 * The answers that the options give; with `--captions` or `--yes`, or without `ask`, nothing is asked and all others have defaults.
 *
 * @param ask undefined where there is no terminal
 * @throws ConfigError when nothing says where the captions are
 */
export async function initAnswers(args: Arguments, ask: Ask | undefined): Promise<InitAnswers> {
  const given = {
    // A folder of images may hold a text file for each.
    captions: args.text('captions') ?? args.text('images'),
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
  const answer = async (question: string, instead: string | undefined): Promise<string | undefined> =>
    (await ask(`${question}${instead === undefined ? '' : ` (${instead})`}: `)).trim() || instead;
  const images = await answer('Folder of the images', args.text('images'));
  const asked = await answer(
    'Captions: a JSON, CSV or token file, or a folder with a text file beside each image',
    images,
  );
  if (asked === undefined) throw new ConfigError('init: expected the captions of your images, got none');
  const text = given.text ?? (await answer('Text for the language backbone; empty for the captions', undefined));
  const size = (args.text('size') ?? (await answer('Model size, small or medium', 'small'))) as string;
  const standard = MODEL_SIZES[size as keyof typeof MODEL_SIZES]?.imageSize;
  return {
    captions: asked,
    images: asked === images ? undefined : images,
    ...{ text, size },
    imageSize: given.imageSize ?? (await answer('Image size in pixels', standard && String(standard))),
  };
}
