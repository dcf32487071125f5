import { ConfigError } from '#src/errors';
import type { DrawnPicture, Picture, PictureSource } from '../picture.js';
import { type Emoji, nameEmoji } from './emoji.js';
import { type DrawnEmoji, type EmojiSplitOptions, splitEmoji } from './emojiSplits.js';
import { findIconPackage, readIconPackage } from './iconPackage.js';

/** The sets that are read, in the order in which their names are preferred. */
export const EMOJI_STYLES: readonly string[] = [
  ...['noto', 'twemoji', 'fluent-emoji-flat', 'fxemoji', 'openmoji', 'emojione'],
];

export interface EmojiStylesOptions extends EmojiSplitOptions {
  /** Folders with installed packages; the first that has one counts. */
  readonly nodeModules: readonly string[];
}

/**
 * Emoji in several styles: npm's `@iconify-json/<style>`.
 *
 * @throws ConfigError when packages are missing, with the command that installs them
 */
export function emojiStyles({ nodeModules, ...options }: EmojiStylesOptions): PictureSource {
  const folders = EMOJI_STYLES.map((style) => ({ style, folder: findIconPackage(style, nodeModules) }));
  const missing = folders.filter(({ folder }) => folder === undefined).map(({ style }) => `@iconify-json/${style}`);
  if (missing.length > 0) {
    throw new ConfigError(
      `expected the packages of the emoji in ${nodeModules[0]}, ${missing.length} of ${folders.length} missing: npm install --no-save ${missing.join(' ')}`,
    );
  }
  const packages = folders.map(({ style, folder }) => readIconPackage(style, folder as string));
  const { emoji, unnamed } = nameEmoji(packages);
  const byName = new Map(emoji.map((one) => [nameOf(one), one]));
  return {
    title: 'Emoji in several styles',
    origins: packages.map(({ origin }) => origin),
    pictures: emoji.map(pictureOf),
    leftOut: { 'its name cannot be split into words': unnamed },
    settings: { name: 'emoji-styles', packages: packages.map(({ style, digest }) => [style, digest]), ...options },
    trim: false,
    split: (drawn) =>
      splitEmoji(
        drawn.map((picture) => withEmoji(picture, byName)),
        options,
      ),
  };
}

function nameOf({ style, icon }: Emoji): string {
  return `${style}/${icon}`;
}

function pictureOf(emoji: Emoji): Picture {
  const { captions, category, style, tones, svg } = emoji;
  return {
    name: nameOf(emoji),
    captions,
    labels: [
      `style: ${style}`,
      ...(category === undefined ? [] : [`category: ${category}`]),
      ...tones.map((tone) => `skin tone: ${tone}`),
    ],
    bytes: svg,
  };
}

function withEmoji(picture: DrawnPicture, byName: ReadonlyMap<string, Emoji>): DrawnEmoji {
  return { ...picture, emoji: byName.get(picture.name) as Emoji };
}
