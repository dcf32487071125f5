import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { stemOf } from '#src/data';
import { ConfigError, didYouMean } from '#src/errors';
import { readBytes, readText, sha256 } from '#src/storage';
import { debianPackage } from '../debianPackage.js';
import type { DrawnPicture, Picture, PictureSets, PictureSource } from '../picture.js';
import { type Shares, splitByShare } from '../shareSplits.js';
import { walkFiles } from '../walkFiles.js';
import { stampCaptions } from './stampCaptions.js';

const PACKAGE = 'tuxpaint-stamps-default';

export interface StampsOptions extends Shares {
  /** The root of the system, where the package was extracted, or the folder of the stamps. */
  readonly root: string;
  /** As the stamps name it: `en`, `de`, `pt_BR`. */
  readonly language: string;
}

/**
 * The stamps of Tux Paint, Debian's `tuxpaint-stamps-default`: pictures and photographs with a short description in many
 * languages.
 *
 * @throws ConfigError when they are not there, or none has a description in the language
 */
export function stamps({ root, language, ...shares }: StampsOptions): PictureSource {
  const { folder, version, licenceText, remedy } = debianPackage(PACKAGE, root, 'tuxpaint/stamps');
  const files = walkFiles(folder, ['.png', '.svg'], remedy).filter((file) => !/_mirror(_flip)?\.\w+$/.test(file));
  const taken = new Map<string, string>();
  // Where a stamp is in both formats, the PNG is the published look.
  for (const file of files) if (!taken.has(stemOf(file))) taken.set(stemOf(file), file);
  const languages = new Set<string>();
  const digests: string[] = [];
  const pictures: Picture[] = [];
  for (const [stem, file] of taken) {
    const text = join(folder, `${stem}.txt`);
    if (!existsSync(text)) continue;
    const { captions, known } = stampCaptions(readText(text, 'descriptions'), language);
    for (const name of known) languages.add(name);
    if (captions.length === 0) continue;
    const path = join(folder, file);
    digests.push(`${file} ${sha256(readBytes(path, 'stamp'))} ${captions.join(' | ')}`);
    pictures.push({ name: stem, captions, labels: labelsOf(file), bytes: () => readBytes(path, 'stamp') });
  }
  if (pictures.length === 0) {
    const names = [...languages].sort();
    const got = names.length === 0 ? 'no descriptions' : `${names.join(', ')}${didYouMean(language, names)}`;
    throw new ConfigError(`${folder}: expected descriptions in the language ${language}, got ${got}`);
  }
  return {
    title: 'Stamps of Tux Paint',
    origins: [
      {
        title: 'Tux Paint stamps',
        package: `${PACKAGE} (Debian)`,
        version,
        authors: 'Bill Kendrick and others',
        licence: 'GPL-2',
        url: 'https://tuxpaint.org/stamps/',
        ...(licenceText ? { licenceText } : {}),
      },
    ],
    pictures,
    leftOut: { [`no description in the language ${language}`]: taken.size - pictures.length },
    settings: { name: 'stamps', language, pictures: sha256(Buffer.from(digests.join('\n'))), ...shares },
    trim: true,
    split: (drawn) => photographsApart(splitByShare(drawn, shares)),
  };
}

/** Fewer colours than a photograph of this size has. */
const PHOTOGRAPHIC = 6;

/** The test set in two: what is surely a photograph, and the others, drawings and photographs of few colours. */
function photographsApart({ sets, leftOut }: PictureSets): PictureSets {
  const isPhotograph = ({ labels, variety }: DrawnPicture): boolean =>
    variety > PHOTOGRAPHIC && !labels.includes(DRAWN);
  const apart = [...sets].flatMap(([name, pictures]): [string, readonly DrawnPicture[]][] =>
    name === 'test'
      ? [
          ['test_photographs', pictures.filter(isPhotograph)],
          ['test_others', pictures.filter((picture) => !isPhotograph(picture))],
        ]
      : [[name, pictures]],
  );
  return { sets: new Map(apart.filter(([, { length }]) => length > 0)), leftOut };
}

const DRAWN = 'style: drawn';

/** Its folders, and whether it is drawn. */
function labelsOf(file: string): string[] {
  const folders = file.split('/').slice(0, -1);
  const isDrawn = file.endsWith('.svg') || folders.some((name) => name === 'cartoon' || name === 'symbols');
  return [
    ...folders.slice(0, 2).map((_, i) => `category: ${folders.slice(0, i + 1).join(' ')}`),
    ...(isDrawn ? [DRAWN] : []),
  ];
}
