import { printable } from '#src/errors';
import type { PictureRecord } from './pictureRecord.js';

/** The record as people read it. */
export function sourcesPage({ title, origins, sets, leftOut, broken }: PictureRecord): string {
  return [
    `# ${title}`,
    '',
    'Written by `tokenfuse data`. The pictures are drawn from these packages, whose licences hold for them:',
    '',
    '| pictures | authors | licence | package | from |',
    '| --- | --- | --- | --- | --- |',
    ...origins.map(
      ({ title: pictures, authors, licence, package: name, version, url }) =>
        `| ${pictures} | ${authors} | ${licence} | ${name} ${version} | ${url} |`,
    ),
    '',
    'Captions are made from the names in the packages. Look-up: the share of the pictures that have a caption in common with',
    'the training picture that looks most alike.',
    '',
    '| set | pictures | captions | look-up |',
    '| --- | ---: | ---: | ---: |',
    ...sets.map(
      ({ path, pictures, captions, lookUp }) =>
        `| ${path} | ${pictures} | ${captions} | ${lookUp === undefined ? '' : `${(100 * lookUp).toFixed(1)} %`} |`,
    ),
    '',
    'Left out:',
    '',
    ...Object.entries(leftOut).map(([reason, count]) => `- ${count}: ${reason}`),
    `- ${broken.length}: cannot be drawn${broken.length === 0 ? '' : ':'}`,
    ...broken.map(({ name, reason }) => `  - ${printable(name)}: ${printable(reason)}`),
    '',
  ].join('\n');
}
